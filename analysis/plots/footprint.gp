# SPDX-License-Identifier: GPL-2.0-only
set xlabel 'trace time (s)'
set xrange [0:*] noextend
set ylabel panel_title[1].(log_y ? ', log scale' : '')
# A log axis from a decade below the lowest peak: a start near nothing tells nothing.
if (log_y) set logscale y; set yrange [y_from:*]; else set yrange [0:*]
plot for [i=first[1]:last[1]] data index i-1 using 1:2 with lines linetype i title label[i], \
	for [i=first[1]:last[1]] data index i-1 using 1:(sampled[i] ? $2 : NaN) with points linetype i pointtype 7 pointsize 0.9
