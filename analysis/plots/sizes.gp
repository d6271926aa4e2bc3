# SPDX-License-Identifier: GPL-2.0-only
set logscale x 2
set xlabel 'size (log scale)'
set ylabel panel_title[1]
set format y '%.0f%%'
set yrange [0:100]
set xtics ('8 B' 8, '32 B' 32, '128 B' 128, '512 B' 512, '2 KiB' 2048, '8 KiB' 8192, '32 KiB' 32768, '128 KiB' 131072, '512 KiB' 524288, '2 MiB' 2097152, '8 MiB' 8388608)
plot for [i=first[1]:last[1]] data index i-1 using 1:(100*$2) with steps linetype i title label[i]
