# SPDX-License-Identifier: GPL-2.0-only
# Miss ratios by number of entries: the fully associative LRU curve of each placement.
set logscale x 2
set xlabel 'TLB entries (fully associative, LRU; log scale)'
set ylabel panel_title[1]
set format y '%g%%'
set yrange [0:*]
set xrange [0.9:4600]
set xtics ('1' 1, '4' 4, '16' 16, '64' 64, '256' 256, '1024' 1024, '4096' 4096)
plot for [i=first[1]:last[1]] data index i-1 using 1:(100*$2) with linespoints linetype i pointtype (5 + 2*(i%4)) pointsize 0.6 title label[i]
