/* SPDX-License-Identifier: GPL-2.0-only */
#include "capture/cpu_list.h"
#include "engine/tests/tap.h"

int main(void)
{
	char list[64], small[2];

	TAP_OK(km_cpu_list_has("0-3,5,8-9", 0) && km_cpu_list_has("0-3,5,8-9", 2) &&
		       km_cpu_list_has("0-3,5,8-9", 3),
	       "a range has its ends and what is between");
	TAP_OK(km_cpu_list_has("0-3,5,8-9", 5) && km_cpu_list_has("0-3,5,8-9", 9),
	       "later ones too");
	TAP_OK(!km_cpu_list_has("0-3,5,8-9", 4) && !km_cpu_list_has("0-3,5,8-9", 10) &&
		       !km_cpu_list_has("", 0),
	       "and nothing else is in the list");
	TAP_OK(km_cpu_list_end("0-3,5,8-9") == 10 && km_cpu_list_end("0") == 1, "the list's end");
	TAP_OK(km_cpu_list_end("") == 0 && km_cpu_list_end("\n") == 0, "of none: 0");
	TAP_OK(km_cpu_list_read(KM_CPUS_ONLINE, list, sizeof(list)) && km_cpu_list_end(list),
	       "this machine's: %s", list);
	TAP_OK(!km_cpu_list_read("/nowhere", list, sizeof(list)) && !*list, "no file: no list");
	TAP_OK(!km_cpu_list_read(KM_CPUS_ONLINE, small, sizeof(small)) && !*small,
	       "too long: no list either");
	return tap_done();
}
