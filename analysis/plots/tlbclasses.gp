# SPDX-License-Identifier: GPL-2.0-only
# One group per size class.
set xlabel 'size of the object'
set ylabel panel_title[1]
set yrange [0:*]
set xrange [0.6:6.4]
set xtics ('≤ 64 B' 1, '65–256 B' 2, '≤ 1 KiB' 3, '≤ 4 KiB' 4, '≤ 16 KiB' 5, '> 16 KiB' 6)
plot for [i=first[1]:last[1]] data index i-1 using 1:2 with linespoints linetype i pointtype (5 + 2*(i%4)) pointsize 0.8 title label[i]
