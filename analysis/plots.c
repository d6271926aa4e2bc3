/* SPDX-License-Identifier: GPL-2.0-only */
/* plots/NAME.gp becomes the string km_plot_NAME, report.css km_report_css. Paths are relative to
 * the top of the sources. */
#include "plots.h"

#define TEXT(symbol, path)                                                                         \
	__asm__(".pushsection .rodata\n"                                                           \
		".global " symbol "\n" symbol ":\n"                                                \
		".incbin \"" path "\"\n"                                                           \
		".byte 0\n"                                                                        \
		".popsection\n")
#define SCRIPT(name) TEXT("km_plot_" #name, "analysis/plots/" #name ".gp")

SCRIPT(style);
SCRIPT(latency);
SCRIPT(footprint);
SCRIPT(share);
SCRIPT(sizes);
SCRIPT(lifetimes);
SCRIPT(classes);
SCRIPT(bars);
SCRIPT(tlbcurve);
SCRIPT(tlbwindow);
SCRIPT(tlbreuse);
SCRIPT(tlbclasses);
SCRIPT(touch);
SCRIPT(touchclasses);
TEXT("km_report_css", "analysis/report.css");
