# SPDX-License-Identifier: GPL-2.0-only
# One panel per quantity, one bar per model, each from 0, with its value: upright, and where many
# names would lie on one another, lying down.
unset key
most = 0
do for [p=1:panels] { most = last[p] - first[p] + 1 > most ? last[p] - first[p] + 1 : most }
lying = most > 7
# Between tics: three to five of them.
decade(v) = 10**floor(log10(v))
step(v) = v > 4 * decade(v) ? 2 * decade(v) : v > 2 * decade(v) ? decade(v) : decade(v) / 2
if (lying) {
	set output
	height = 150 + 20 * most
	set terminal svg size width,height dynamic noenhanced font 'sans-serif,14' background 'white'
	set output output
	set label 1 caption at screen 0.012, screen 13.0 / height left font ',11' textcolor rgb '#555555'
	set label 3 stamp at screen 0.012, screen 31.0 / height left font ',11' textcolor rgb '#555555'
}
broken(s) = words(s) > 2 ? word(s, 1)."\n".word(s, 2)."\n".s[strstrt(s, word(s, 3)):] : words(s) == 2 ? word(s, 1)."\n".word(s, 2) : s
short(v) = v >= 10000 ? sprintf('%.0fk', v/1000) : v >= 1000 ? sprintf('%.1fk', v/1000) : sprintf(v > 0 && v < 10 ? '%.2f' : '%.0f', v)
if (lying) {
	set multiplot layout 1,panels title title font ',16' margins 0.135,0.96,80.0/height,1-70.0/height spacing 0.16
} else {
	set multiplot layout 1,panels title title font ',16' margins 0.075,0.91,0.27,0.83 spacing 0.075
}
set style fill solid 0.85 noborder
set boxwidth 0.6
if (lying) { set grid noytics } else { set grid noxtics }
do for [p=1:panels] {
	set title panel_title[p] font ',13' offset 0,-0.6
	if (p > 1) { unset label 1; unset label 3 }
	n = last[p] - first[p] + 1
	if (n < 1) {
		unset xtics; unset ytics; unset border
		set label 2 'not measured' at graph 0.5,0.5 center
		plot [0:1] [0:1] NaN
		unset label 2; set border 3; set ytics
	}
	if (n > 0 && lying) {
		set xrange [*:*]
		set yrange [*:*]
		stats data index (first[p] - 1):(last[p] - 1) using 2 name 'x' nooutput
		set xrange [0:*]
		set yrange [n + 0.5:0.5]
		set offsets 0,graph 0.22,0,0
		if (x_max > 0) { set xtics 0,step(x_max) norotate font ',11' format '%g' }
		set ytics () scale 0 font ',11'
		do for [i=first[p]:last[p]] { set ytics add (label[i] i - first[p] + 1) }
		plot for [i=first[p]:last[p]] data index i-1 using (0):(i - first[p] + 1):(0):2:(i - first[p] + 0.68):(i - first[p] + 1.32) with boxxyerror linetype i, \
			for [i=first[p]:last[p]] data index i-1 using 2:(i - first[p] + 1):(short($2)) with labels left offset 0.5,0 font ',10'
	}
	if (n > 0 && !lying) {
		set xrange [0.4:n + 0.6]
		set yrange [0:*]
		set offsets 0,0,graph 0.1,0
		if (n > 3) {
			set xtics () scale 0 rotate by -35 font ',11'
		} else {
			set xtics () scale 0 norotate font ',13'
		}
		do for [i=first[p]:last[p]] { set xtics add ((n > 3 ? label[i] : broken(label[i])) i - first[p] + 1) }
		plot for [i=first[p]:last[p]] data index i-1 using (i - first[p] + 1):2 with boxes linetype i, \
			for [i=first[p]:last[p]] data index i-1 using (i - first[p] + 1):2:(short($2)) with labels offset 0,0.7 font (n > 6 ? ',10' : ',12')
	}
}
unset multiplot
