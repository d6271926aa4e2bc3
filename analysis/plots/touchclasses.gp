# SPDX-License-Identifier: GPL-2.0-only
# One group per size class, the touches of its objects alone.
set logscale y
set format y '%g'
set xlabel 'size of the object'
set ylabel panel_title[1].' (log scale)'
set xrange [0.6:6.4]
set autoscale yfix
set offsets 0,0,graph 0.1,graph 0.1
set ytics (1, 1.5, 2, 3, 4, 5, 7, 10, 15, 20, 30, 50, 70, 100, 200, 500, 1000)
set xtics ('≤ 64 B' 1, '65–256 B' 2, '≤ 1 KiB' 3, '≤ 4 KiB' 4, '≤ 16 KiB' 5, '> 16 KiB' 6)
plot for [i=first[1]:last[1]] data index i-1 using 1:2 with linespoints linetype i pointtype (5 + 2*(i%4)) pointsize 0.8 title label[i]
