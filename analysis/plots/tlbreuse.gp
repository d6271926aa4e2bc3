# SPDX-License-Identifier: GPL-2.0-only
# Sensitivity to the one thing a trace does not hold: touches per live object.
set xlabel 'λ, touches of live objects per allocation (0: access A0; else A2:λ)'
set ylabel panel_title[1]
set yrange [0:*]
set xrange [-0.5:16.5]
set xtics (0, 1, 4, 16)
plot for [i=first[1]:last[1]] data index i-1 using 1:2 with linespoints linetype i pointtype (5 + 2*(i%4)) pointsize 0.8 title label[i]
