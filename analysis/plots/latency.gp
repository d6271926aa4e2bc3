# SPDX-License-Identifier: GPL-2.0-only
# Percentiles on x = 1/(1-q); below 1 ns is drawn at 1 ns. Shaded: from the lowest to the highest run.
# Whole decades, so that both ends of the axis carry a label.
stats data using ($2 < 1 ? 1 : $2) name 'y' nooutput
y_from = 0.999 * 10**floor(log10(y_min))
y_to = 1.001 * 10**ceil(log10(y_max * 1.01))
set logscale xy
set yrange [y_from:y_to]
set xlabel 'percentile'
set ylabel panel_title[1].' (log scale)'
set xtics ('50%%' 2, '90%%' 10, '99%%' 100, '99.9%%' 1e3, '99.99%%' 1e4, '99.999%%' 1e5, '99.9999%%' 1e6, '99.99999%%' 1e7)
set ytics ('1 ns' 1, '10 ns' 10, '100 ns' 100, '1 µs' 1e3, '10 µs' 1e4, '100 µs' 1e5, '1 ms' 1e6, '10 ms' 1e7, '100 ms' 1e8, '1 s' 1e9)
set xrange [1:*]
set style fill transparent solid 0.18 noborder
plot for [i=first[1]:last[1]] data index i-1 using (ranged[i] ? $1 : NaN):(column(3) < 1 ? 1 : column(3)):(column(4) < 1 ? 1 : column(4)) with filledcurves linetype i, \
	for [i=first[1]:last[1]] data index i-1 using 1:($2 < 1 ? 1 : $2) with lines linetype i title label[i]
