# SPDX-License-Identifier: GPL-2.0-only
# One group per size class; solid: median, dashed: 99th percentile; whiskers: lowest to highest run.
# Whole decades, so that both ends of the axis carry a label.
stats data using ($2 < 1 ? 1 : $2) name 'y' nooutput
top_max = y_max
if (ranged[first[1]]) stats data using 4 name 'top' nooutput
y_from = 0.999 * 10**floor(log10(y_min))
y_to = 1.001 * 10**ceil(log10((top_max > y_max ? top_max : y_max) * 1.01))
set logscale y
set yrange [y_from:y_to]
# The tics take two lines: size and calls.
set bmargin 7.8
set xlabel 'size of the request' offset 0,-1
set ylabel panel_title[1].' (log scale)'
set xrange [0.6:6.4]
set xtics ()
do for [k=1:rows] { set xtics add (row[k] k) }
set ytics ('1 ns' 1, '10 ns' 10, '100 ns' 100, '1 µs' 1e3, '10 µs' 1e4, '100 µs' 1e5, '1 ms' 1e6, '10 ms' 1e7, '100 ms' 1e8)
# Whiskers stand a little apart, where lines lie on one another.
apart(i) = 0.024 * (i - (first[1] + last[1]) / 2.0)
set bars 0.4
plot for [i=first[1]:last[1]] data index i-1 using ($1 + apart(i)):(ranged[i] ? $2 : NaN):(ranged[i] && column(3) < 1 ? 1 : column(3)):(column(4)) with yerrorbars linetype i dashtype 1 linewidth 1 pointsize 0, \
	for [i=first[1]:last[1]] data index i-1 using ($1 + apart(i)):($2 < 1 ? 1 : $2) with linespoints linetype i pointtype (5 + 2*(i%4)) pointsize 0.8 title label[i]
