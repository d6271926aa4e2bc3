# SPDX-License-Identifier: GPL-2.0-only
set logscale x
set xlabel 'lifetime (log scale)'
set ylabel panel_title[1]
set format y '%.0f%%'
set yrange [0:100]
set xtics ('10 ns' 10, '100 ns' 100, '1 µs' 1e3, '10 µs' 1e4, '100 µs' 1e5, '1 ms' 1e6, '10 ms' 1e7, '100 ms' 1e8, '1 s' 1e9, '10 s' 1e10, '100 s' 1e11, '1000 s' 1e12)
plot for [i=first[1]:last[1]] data index i-1 using 1:(100*$2) with steps linetype i title label[i]
