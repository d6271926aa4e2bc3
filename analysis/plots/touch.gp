# SPDX-License-Identifier: GPL-2.0-only
# Rows of a curve: median, low, high, and what the TLB model says of dependent and of overlapped loads. Bars from 0 with their
# interval; diamonds for the model.
unset key
set multiplot layout 1,panels title title font ',16' margins 0.06,0.92,0.32,0.83 spacing 0.12
set style fill solid 0.85 noborder
set boxwidth 0.6
set grid noxtics
do for [p=1:panels] {
	set title panel_title[p] font ',13' offset 0,-0.6
	if (p > 1) { unset label 1; unset label 3 }
	n = last[p] - first[p] + 1
	set xrange [0.4:n + 0.6]
	if (p == 1) { set yrange [0:*] } else { set yrange [*:*] }
	set offsets 0,0,graph 0.12,0
	set xzeroaxis lt 1 lc rgb '#888888' lw 1
	set xtics () scale 0 rotate by -35 font ',11'
	do for [i=first[p]:last[p]] { set xtics add (label[i] i - first[p] + 1) }
	if (n > 0) {
		plot for [i=first[p]:last[p]] data index i-1 every ::0::0 using (i - first[p] + 1):2 with boxes linetype i, \
			for [i=first[p]:last[p]] data index i-1 every ::1::2 using (i - first[p] + 1):2 with linespoints lc rgb '#222222' dt 1 lw 1.2 pt 2 ps 0.5, \
			for [i=first[p]:last[p]] data index i-1 every ::3::4 using (i - first[p] + 1 + 0.42):2 with linespoints dt 1 lw 1.2 pt 13 ps 0.9 lc rgb '#009E73', \
			for [i=first[p]:last[p]] data index i-1 every ::0::0 using (i - first[p] + 1 - 0.46):2:(abs($2) < 0.05 ? '0.0' : sprintf('%.1f', $2)) with labels left offset 0,0.8 font ',11'
	} else {
		unset xtics; unset ytics; unset border
		set label 2 'not measured' at graph 0.5,0.5 center
		plot [0:1] [0:1] NaN
		unset label 2; set border 3; set ytics
	}
}
unset multiplot
