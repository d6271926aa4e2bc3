# SPDX-License-Identifier: GPL-2.0-only
# One group per size class; solid: median, dashed: 99th percentile.
# Whole decades, so that both ends of the axis carry a label.
stats data using ($2 < 1 ? 1 : $2) name 'y' nooutput
y_from = 0.999 * 10**floor(log10(y_min))
y_to = 1.001 * 10**ceil(log10(y_max * 1.01))
set logscale y
set yrange [y_from:y_to]
set xlabel 'size of the request'
set ylabel panel_title[1].' (log scale)'
set xrange [0.6:6.4]
set xtics ('≤ 64 B' 1, '65–256 B' 2, '≤ 1 KiB' 3, '≤ 4 KiB' 4, '≤ 16 KiB' 5, '> 16 KiB' 6)
set ytics ('1 ns' 1, '10 ns' 10, '100 ns' 100, '1 µs' 1e3, '10 µs' 1e4, '100 µs' 1e5, '1 ms' 1e6, '10 ms' 1e7, '100 ms' 1e8)
plot for [i=first[1]:last[1]] data index i-1 using 1:($2 < 1 ? 1 : $2) with linespoints linetype i pointtype (5 + 2*(i%4)) pointsize 0.8 title label[i]
