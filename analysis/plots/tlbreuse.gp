# SPDX-License-Identifier: GPL-2.0-only
# Sensitivity to the one thing a trace does not hold: touches per live object.
set xlabel 'λ, touches of live objects per allocation (0: access A0; else A2:λ)'
# From 0.01 on; fewer lie on the line of the lowest tic.
floor_at = 0.01
set logscale y
set autoscale yfixmax
set format y '%g'
set ylabel panel_title[1].' (log scale)'
set yrange [floor_at:*]
set ytics add ('≤ 0.01' 0.01)
set xrange [0:*] noextend
set offsets graph 0.03,graph 0.03,graph 0.06,0
plot for [i=first[1]:last[1]] data index i-1 using 1:($2 < floor_at ? floor_at : $2) with linespoints linetype i pointtype (5 + 2*(i%4)) pointsize 0.8 title label[i]
