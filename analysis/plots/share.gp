# SPDX-License-Identifier: GPL-2.0-only
# Shares over trace time, one panel or two.
set xlabel 'trace time (s)'
set xrange [0:*] noextend
set format y '%g%%'
set yrange [0:*]
if (panels > 1) set multiplot layout 1,panels title title font ',16' margins 0.08,0.755,0.25,0.83 spacing 0.09
if (panels > 1) set key at screen 0.77,0.84 left top vertical
do for [p=1:panels] {
	if (panels > 1) { set title panel_title[p] font ',13' offset 0,-0.6 }
	if (p > 1) { unset label 1; unset label 3 }
	if (p > 1) { unset key }
	set ylabel (panels > 1 ? 'share' : panel_title[p])
	plot for [i=first[p]:last[p]] data index i-1 using 1:(100*$2) with lines linetype i title label[i], \
		for [i=first[p]:last[p]] data index i-1 using 1:(sampled[i] ? 100*$2 : NaN) with points linetype i pointtype 7 pointsize 0.9
}
if (panels > 1) unset multiplot
