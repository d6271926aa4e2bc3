/* SPDX-License-Identifier: GPL-2.0-only */
/* On 64-bit machines every page is in the direct map. */
#ifndef _LINUX_HIGHMEM_H
#define _LINUX_HIGHMEM_H

#include <linux/mm.h>

#define kmap(page) page_address(page)
#define kunmap(page) ((void)(page))
#define kmap_atomic(page)                                                                          \
	(kmlab_api->enter(KMLAB_SITE("kmap_atomic"), KMLAB_PREEMPT_OFF, 0), page_address(page))
#define kunmap_atomic(p)                                                                           \
	((void)(p), kmlab_api->leave(KMLAB_SITE("kunmap_atomic"), KMLAB_PREEMPT_OFF, 0))
#define kmap_local_page(page) page_address(page)
#define kunmap_local(p) ((void)(p))
#define clear_highpage(page) clear_page(page_address(page))
#define copy_highpage(to, from) copy_page(page_address(to), page_address(from))

#endif
