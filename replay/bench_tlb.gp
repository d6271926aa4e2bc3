# SPDX-License-Identifier: GPL-2.0-only
# What a dependent load costs by the pages that a chain visits, with 95 % intervals and the model's curve.
# gnuplot -e "points='FILE.csv'; output='FILE.svg'; caption='...'" bench_tlb.gp
set encoding utf8
set datafile separator comma
set terminal svg size 900,500 dynamic noenhanced font 'sans-serif,14' background 'white'
set output output
set title 'Latency of a load in kernel memory: direct map against vmalloc (timed in the kernel)' font ',16'
set border 3 lc rgb '#555555'
set tics nomirror out scale 0.6
set grid lt 1 lc rgb '#dddddd' lw 0.7
set key top left Left reverse
set bmargin 5.4
set label 1 caption at screen 0.012, screen 0.026 left font ',11' textcolor rgb '#555555'
set logscale xy
set xrange [60:36000]
set xlabel 'pages visited (random order, one line in each; log scale)'
set ylabel 'ns per dependent load (log scale)'
set xtics (64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384, 32768)
is(place, value) = strcol(1) eq place ? value : NaN
set linetype 1 lc rgb '#0072B2' lw 2
set linetype 2 lc rgb '#D55E00' lw 2
set linetype 3 lc rgb '#777777' lw 1.6 dt 3
plot points using 2:(is('direct', $3)):4:5 with yerrorbars lt 1 pt 7 ps 0.7 title 'direct map, measured', \
	points using 2:(is('direct', $6)) with lines lt 1 title 'direct map, model', \
	points using 2:(is('vmalloc', $3)):4:5 with yerrorbars lt 2 pt 9 ps 0.7 title 'vmalloc, measured', \
	points using 2:(is('vmalloc', $6)) with lines lt 2 title 'vmalloc, model', \
	points using 2:(is('dense', $3)) with lines lt 3 title 'as many lines side by side'
