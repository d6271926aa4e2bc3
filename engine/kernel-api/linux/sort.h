/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _LINUX_SORT_H
#define _LINUX_SORT_H

#include <linux/types.h>

/* Insertion sort: no module's array is long, and what is compared is what matters. */
static inline void sort(void *base, size_t n, size_t size,
			int (*compare)(const void *, const void *),
			void (*swap)(void *, void *, int))
{
	for (size_t i = 1; i < n; i++) {
		for (size_t j = i; j; j--) {
			char *low = (char *)base + (j - 1) * size, *high = low + size;

			if (compare(low, high) <= 0)
				break;
			if (swap) {
				(swap)(low, high, (int)size);
				continue;
			}
			for (size_t k = 0; k < size; k++) {
				char byte = low[k];

				low[k] = high[k];
				high[k] = byte;
			}
		}
	}
}

#endif
