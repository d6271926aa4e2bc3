# SPDX-License-Identifier: GPL-2.0-only
# One panel per quantity, one bar per model, each from 0, with its value.
unset key
broken(s) = words(s) > 2 ? word(s, 1)."\n".word(s, 2)."\n".s[strstrt(s, word(s, 3)):] : words(s) == 2 ? word(s, 1)."\n".word(s, 2) : s
short(v) = v >= 10000 ? sprintf('%.0fk', v/1000) : v >= 1000 ? sprintf('%.1fk', v/1000) : sprintf(v > 0 && v < 10 ? '%.2f' : '%.0f', v)
set multiplot layout 1,panels title title font ',16' margins 0.075,0.91,0.27,0.83 spacing 0.075
set style fill solid 0.85 noborder
set boxwidth 0.6
set grid noxtics
set yrange [0:*]
set offsets 0,0,graph 0.1,0
do for [p=1:panels] {
	set title panel_title[p] font ',13' offset 0,-0.6
	if (p > 1) { unset label 1; unset label 3 }
	n = last[p] - first[p] + 1
	set xrange [0.4:n + 0.6]
	if (n > 3) {
		set xtics () scale 0 rotate by -35 font ',11'
	} else {
		set xtics () scale 0 norotate font ',13'
	}
	do for [i=first[p]:last[p]] { set xtics add ((n > 3 ? label[i] : broken(label[i])) i - first[p] + 1) }
	if (n > 0) {
		plot for [i=first[p]:last[p]] data index i-1 using (i - first[p] + 1):2 with boxes linetype i, \
			for [i=first[p]:last[p]] data index i-1 using (i - first[p] + 1):2:(short($2)) with labels offset 0,0.7 font (n > 6 ? ',10' : ',12')
	} else {
		unset xtics; unset ytics; unset border
		set label 2 'not measured' at graph 0.5,0.5 center
		plot [0:1] [0:1] NaN
		unset label 2; set border 3; set ytics; set yrange [0:*]
	}
}
unset multiplot
