# SPDX-License-Identifier: GPL-2.0-only
# Distinct pages touched within windows of that many operations.
set logscale xy
set xlabel 'window (allocations and frees; log scale)'
set ylabel panel_title[1].' (log scale)'
set format y '%g'
set xrange [80:125000]
set xtics ('100' 100, '1 000' 1000, '10 000' 10000, '100 000' 100000)
plot for [i=first[1]:last[1]] data index i-1 using 1:2 with linespoints linetype i pointtype (5 + 2*(i%4)) pointsize 0.8 title label[i]
