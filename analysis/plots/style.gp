# SPDX-License-Identifier: GPL-2.0-only
# Look shared by all figures: light grid, two axes, units on both, caption below.
set encoding utf8
if (!exists("width")) width = 900
if (!exists("height")) height = 500
set terminal svg size width,height dynamic noenhanced font 'sans-serif,14' background 'white'
set output output
set title title font ',16' offset 0,0.3
set border 3 lc rgb '#555555'
set tics nomirror out scale 0.6 textcolor rgb '#222222'
set grid lt 1 lc rgb '#dddddd' lw 0.7
set key outside right top vertical Left reverse samplen 3 spacing 1.2 width -1 noautotitle
set bmargin 5.4
set label 1 caption at screen 0.012, screen 0.026 left font ',11' textcolor rgb '#555555'
if (strlen(stamp)) set label 3 stamp at screen 0.012, screen 0.062 left font ',11' textcolor rgb '#555555'
if (strlen(stamp)) set bmargin 6.6
