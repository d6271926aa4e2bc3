# SPDX-License-Identifier: GPL-2.0-only
# One group per size class, the touches of its objects alone; whiskers: 95 % interval.
# Whiskers stand a little apart, where lines lie on one another.
apart(i) = 0.024 * (i - (first[1] + last[1]) / 2.0)
set logscale y
set format y '%g'
set xlabel 'size of the object'
set ylabel panel_title[1].' (log scale)'
set xrange [0.6:6.4]
set autoscale yfix
set offsets 0,0,graph 0.1,graph 0.1
set ytics (1, 1.5, 2, 3, 4, 5, 7, 10, 15, 20, 30, 50, 70, 100, 200, 500, 1000)
set xtics ()
do for [k=1:rows] { set xtics add (row[k] k) }
set bars 0.4
plot for [i=first[1]:last[1]] data index i-1 using ($1 + apart(i)):2:3:4 with yerrorbars linetype i dashtype 1 linewidth 1 pointsize 0, \
	for [i=first[1]:last[1]] data index i-1 using ($1 + apart(i)):2 with linespoints linetype i pointtype (5 + 2*(i%4)) pointsize 0.8 title label[i]
