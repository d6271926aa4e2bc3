/* SPDX-License-Identifier: GPL-2.0-only */
/* User memory is the runner's: a copy checks the kernel's side, and may fault, so may sleep. */
#ifndef _LINUX_UACCESS_H
#define _LINUX_UACCESS_H

#include <linux/errno.h>
#include <linux/string.h>
#include <linux/types.h>

KMLAB_TEXT unsigned long kmlab_copy_to_user(const struct kmlab_site *site, void __user *to,
					    const void *from, unsigned long n)
{
	kmlab_api->do_might_sleep(site);
	KMLAB_READS(from, n);
	if (!to)
		return n;
	__builtin_memcpy(to, from, n);
	return 0;
}
KMLAB_TEXT unsigned long kmlab_copy_from_user(const struct kmlab_site *site, void *to,
					      const void __user *from, unsigned long n)
{
	kmlab_api->do_might_sleep(site);
	KMLAB_WRITES(to, n);
	if (!from)
		return n;
	__builtin_memcpy(to, from, n);
	return 0;
}
#define copy_to_user(to, from, n) kmlab_copy_to_user(KMLAB_SITE("copy_to_user"), to, from, n)
#define copy_from_user(to, from, n) kmlab_copy_from_user(KMLAB_SITE("copy_from_user"), to, from, n)
#define __copy_to_user copy_to_user
#define __copy_from_user copy_from_user
#define clear_user(to, n) (__builtin_memset(to, 0, n), 0UL)
#define put_user(value, p)                                                                         \
	({                                                                                         \
		__typeof__(*(p)) kmlab_put_ = (value);                                             \
		copy_to_user(p, &kmlab_put_, sizeof(kmlab_put_)) ? -EFAULT : 0;                    \
	})
#define get_user(variable, p)                                                                      \
	({                                                                                         \
		__typeof__(*(p)) kmlab_get_ = 0;                                                   \
		int kmlab_ret_ = copy_from_user(&kmlab_get_, p, sizeof(kmlab_get_)) ? -EFAULT : 0; \
		(variable) = kmlab_get_;                                                           \
		kmlab_ret_;                                                                        \
	})
#define __put_user put_user
#define __get_user get_user
#define raw_copy_to_user copy_to_user
#define raw_copy_from_user copy_from_user
#define copy_to_user_nofault copy_to_user
#define VERIFY_READ 0 /* up to 4.20 */
#define VERIFY_WRITE 1
#define access_ok(...) 1
#define strncpy_from_user(to, from, most)                                                          \
	({                                                                                         \
		long kmlab_length_ = strnlen(from, most);                                          \
		copy_from_user(to, from, min_t(long, kmlab_length_ + 1, most)) ? -EFAULT           \
									       : kmlab_length_;    \
	})

static inline void *kmlab_memdup_user(const struct kmlab_site *site, const void __user *from,
				      size_t n, bool end)
{
	char *copy = kmlab_api->do_memdup_user(site, n + end, GFP_USER | __GFP_NOWARN);

	if (!copy)
		return (void *)(long)-ENOMEM;
	if (kmlab_copy_from_user(site, copy, from, n)) {
		kmlab_api->do_kfree(site, copy, 0);
		return (void *)(long)-EFAULT;
	}
	if (end)
		copy[n] = 0;
	return copy;
}
#define memdup_user(from, n) kmlab_memdup_user(KMLAB_SITE("memdup_user"), from, n, false)
#define memdup_user_nul(from, n) kmlab_memdup_user(KMLAB_SITE("memdup_user_nul"), from, n, true)
#define kstrtoint_from_user(from, n, base, value)                                                  \
	({                                                                                         \
		char kmlab_text_[32] = "";                                                         \
		copy_from_user(kmlab_text_, from, min_t(size_t, n, 31))                            \
			? -EFAULT                                                                  \
			: kstrtoint(kmlab_text_, base, value);                                     \
	})

#endif
