/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Files made of records (fs/seq_file.c). What an open file takes is the kernel's, on behalf of the
 * module: a seq_file (120 bytes, a cache of its own), for single_open() its four functions, and at
 * the first read a page, twice as much whenever one record does not fit.
 */
#ifndef _LINUX_SEQ_FILE_H
#define _LINUX_SEQ_FILE_H

#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/string.h>

#define SEQ_SKIP 1
#define SEQ_START_TOKEN ((void *)1)
#define KMLAB_SEQ_BYTES 120

struct seq_file;
struct seq_operations {
	void *(*start)(struct seq_file *, loff_t *);
	void (*stop)(struct seq_file *, void *);
	void *(*next)(struct seq_file *, void *, loff_t *);
	int (*show)(struct seq_file *, void *);
};
struct seq_file {
	char *buf;
	size_t size, from, count, pad_until;
	loff_t index, read_pos;
	const struct seq_operations *op;
	const struct file *file;
	void *private;
	const struct kmlab_site *kmlab_site;
};
_Static_assert(sizeof(struct seq_file) <= KMLAB_SEQ_BYTES, "as many bytes as the kernel's");

static inline bool seq_has_overflowed(const struct seq_file *seq)
{
	return seq->count == seq->size;
}
static inline void seq_vprintf(struct seq_file *seq, const char *format, va_list args)
{
	size_t room = seq->size - seq->count;
	int n = vsnprintf(seq->buf + seq->count, room, format, args);

	seq->count = (size_t)n < room ? seq->count + n : seq->size;
}
static inline __printf(2, 3) void seq_printf(struct seq_file *seq, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	seq_vprintf(seq, format, args);
	va_end(args);
}
static inline int seq_write(struct seq_file *seq, const void *data, size_t n)
{
	if (seq->count + n >= seq->size) {
		seq->count = seq->size;
		return -1;
	}
	memcpy(seq->buf + seq->count, data, n);
	seq->count += n;
	return 0;
}
#define seq_puts(seq, text) seq_printf(seq, "%s", text)
#define seq_putc(seq, c) seq_printf(seq, "%c", c)
#define seq_put_decimal_ull(seq, before, n) seq_printf(seq, "%s%llu", before, (u64)(n))
#define seq_put_decimal_ll(seq, before, n) seq_printf(seq, "%s%lld", before, (s64)(n))

KMLAB_TEXT int kmlab_seq_open(const struct kmlab_site *site, struct file *file,
			      const struct seq_operations *op, void *private)
{
	struct seq_file *seq = kmlab_api->cache_alloc(
		site, kmlab_api->kernel_cache("seq_file", KMLAB_SEQ_BYTES, SLAB_PANIC),
		GFP_KERNEL | __GFP_ZERO, -1);

	if (!seq)
		return -ENOMEM;
	seq->op = op;
	seq->file = file;
	seq->private = private;
	seq->kmlab_site = site;
	file->private_data = seq;
	file->f_pos = 0;
	return 0;
}
#define seq_open(file, op) kmlab_seq_open(KMLAB_SITE("seq_open"), file, op, NULL)
KMLAB_TEXT void *kmlab_seq_private(const struct kmlab_site *site, struct file *file,
				   const struct seq_operations *op, int bytes)
{
	void *private = kmlab_api->do_kmalloc(site, bytes, GFP_KERNEL_ACCOUNT | __GFP_ZERO, -1);

	if (!private)
		return NULL;
	if (!kmlab_seq_open(site, file, op, private))
		return private;
	kmlab_api->do_kfree(site, private, 0);
	return NULL;
}
#define __seq_open_private(file, op, bytes)                                                        \
	kmlab_seq_private(KMLAB_SITE("__seq_open_private"), file, op, bytes)
#define seq_open_private(file, op, bytes)                                                          \
	(kmlab_seq_private(KMLAB_SITE("seq_open_private"), file, op, bytes) ? 0 : -ENOMEM)

/* One record. */
static inline void *kmlab_single_start(struct seq_file *seq, loff_t *at)
{
	return *at ? NULL : SEQ_START_TOKEN;
}
static inline void *kmlab_single_next(struct seq_file *seq, void *record, loff_t *at)
{
	++*at;
	return NULL;
}
static inline void kmlab_single_stop(struct seq_file *seq, void *record)
{
}
KMLAB_TEXT int kmlab_single_open(const struct kmlab_site *site, struct file *file,
				 int (*show)(struct seq_file *, void *), void *data, size_t bytes)
{
	char *buf = bytes ? kmlab_api->do_kvmalloc(site, bytes, GFP_KERNEL_ACCOUNT, -1) : NULL;
	struct seq_operations *op;
	int ret = -ENOMEM;

	if (bytes && !buf)
		return ret;
	op = kmlab_api->do_kmalloc(site, sizeof(*op), GFP_KERNEL_ACCOUNT, -1);
	if (op) {
		*op = (struct seq_operations){kmlab_single_start, kmlab_single_stop,
					      kmlab_single_next, show};
		ret = kmlab_seq_open(site, file, op, data);
	}
	if (ret) {
		kmlab_api->do_kfree(site, op, 0);
		kmlab_api->do_kvfree(site, buf, 0);
		return ret;
	}
	((struct seq_file *)file->private_data)->buf = buf;
	((struct seq_file *)file->private_data)->size = bytes;
	return 0;
}
#define single_open(file, show, data)                                                              \
	kmlab_single_open(KMLAB_SITE("single_open"), file, show, data, 0)
#define single_open_size(file, show, data, bytes)                                                  \
	kmlab_single_open(KMLAB_SITE("single_open_size"), file, show, data, bytes)

KMLAB_TEXT char *kmlab_seq_buffer(struct seq_file *seq, size_t bytes)
{
	if (seq->buf)
		kmlab_api->do_kvfree(seq->kmlab_site, seq->buf, 0);
	seq->count = 0;
	seq->buf = kmlab_api->do_kvmalloc(seq->kmlab_site, bytes, GFP_KERNEL_ACCOUNT, -1);
	seq->size = seq->buf ? bytes : 0;
	return seq->buf;
}
/* Records until the buffer has something, then as many more as are asked for and fit. */
static inline int kmlab_seq_fill(struct seq_file *seq, size_t wanted)
{
	void *record = seq->op->start(seq, &seq->index);
	loff_t before;
	size_t whole;
	int ret = 0;

	while (record && !IS_ERR(record)) {
		ret = seq->op->show(seq, record);
		if (ret < 0)
			break;
		if (ret)
			seq->count = 0; /* SEQ_SKIP */
		if (seq->count && !seq_has_overflowed(seq))
			break;
		if (!seq->count) {
			record = seq->op->next(seq, record, &seq->index);
			continue;
		}
		seq->op->stop(seq, record);
		if (!kmlab_seq_buffer(seq, seq->size << 1))
			return -ENOMEM;
		record = seq->op->start(seq, &seq->index);
	}
	if (IS_ERR(record))
		ret = PTR_ERR(record);
	while (ret >= 0 && !IS_ERR_OR_NULL(record)) {
		before = seq->index;
		whole = seq->count;
		record = seq->op->next(seq, record, &seq->index);
		if (seq->index == before) {
			printk("seq_file: buggy .next function %ps did not update position index\n",
			       seq->op->next);
			seq->index++;
		}
		if (IS_ERR_OR_NULL(record) || seq->count >= wanted)
			break;
		ret = seq->op->show(seq, record);
		if (ret > 0 || seq_has_overflowed(seq)) {
			seq->count = whole;
			if (ret <= 0)
				break;
		}
	}
	seq->op->stop(seq, record);
	return ret < 0 && !seq->count ? ret : 0;
}
static inline ssize_t seq_read(struct file *file, char __user *to, size_t n, loff_t *at)
{
	struct seq_file *seq = file->private_data;
	size_t copied = 0, part;
	int ret;

	if (!*at)
		seq->index = seq->count = seq->from = 0;
	if (!seq->buf && !kmlab_seq_buffer(seq, PAGE_SIZE))
		return -ENOMEM;
	while (copied < n) {
		if (!seq->count) {
			seq->from = 0;
			ret = kmlab_seq_fill(seq, n - copied);
			if (ret && !copied)
				return ret;
			if (!seq->count)
				break;
		}
		part = min(seq->count, n - copied);
		__builtin_memcpy(to + copied, seq->buf + seq->from, part);
		seq->count -= part;
		seq->from += part;
		copied += part;
		if (!seq->count)
			break;
	}
	*at += copied;
	return copied;
}
#define seq_read_iter NULL
KMLAB_TEXT int seq_release(struct inode *inode, struct file *file)
{
	struct seq_file *seq = file->private_data;

	if (seq->buf)
		kmlab_api->do_kvfree(seq->kmlab_site, seq->buf, 0);
	kmlab_api->cache_free(seq->kmlab_site,
			      kmlab_api->kernel_cache("seq_file", KMLAB_SEQ_BYTES, SLAB_PANIC),
			      seq);
	return 0;
}
KMLAB_TEXT int single_release(struct inode *inode, struct file *file)
{
	struct seq_file *seq = file->private_data;
	const struct kmlab_site *site = seq->kmlab_site;
	const struct seq_operations *op = seq->op;

	seq_release(inode, file);
	kmlab_api->do_kfree(site, op, 0);
	return 0;
}
KMLAB_TEXT int seq_release_private(struct inode *inode, struct file *file)
{
	struct seq_file *seq = file->private_data;

	kmlab_api->do_kfree(seq->kmlab_site, seq->private, 0);
	seq->private = NULL;
	return seq_release(inode, file);
}
static inline loff_t seq_lseek(struct file *file, loff_t offset, int whence)
{
	return file->f_pos = offset;
}

/* ---- records that lie in a list ---- */

static inline struct list_head *seq_list_start(struct list_head *head, loff_t at)
{
	struct list_head *entry;

	list_for_each(entry, head) if (at-- == 0) return entry;
	return NULL;
}
static inline struct list_head *seq_list_start_head(struct list_head *head, loff_t at)
{
	return at ? seq_list_start(head, at - 1) : head;
}
static inline struct list_head *seq_list_next(void *record, struct list_head *head, loff_t *at)
{
	struct list_head *next = ((struct list_head *)record)->next;

	++*at;
	return next == head ? NULL : next;
}

#define DEFINE_SEQ_ATTRIBUTE(name)                                                                 \
	static int name##_open(struct inode *inode, struct file *file)                             \
	{                                                                                          \
		int ret = seq_open(file, &name##_sops);                                            \
		if (!ret && inode->i_private)                                                      \
			((struct seq_file *)file->private_data)->private = inode->i_private;       \
		return ret;                                                                        \
	}                                                                                          \
	static const struct file_operations name##_fops = {.owner = THIS_MODULE,                   \
							   .open = name##_open,                    \
							   .read = seq_read,                       \
							   .llseek = seq_lseek,                    \
							   .release = seq_release}
#define DEFINE_SHOW_ATTRIBUTE(name)                                                                \
	static int name##_open(struct inode *inode, struct file *file)                             \
	{                                                                                          \
		return single_open(file, name##_show, inode->i_private);                           \
	}                                                                                          \
	static const struct file_operations name##_fops = {.owner = THIS_MODULE,                   \
							   .open = name##_open,                    \
							   .read = seq_read,                       \
							   .llseek = seq_lseek,                    \
							   .release = single_release}
#define DEFINE_PROC_SHOW_ATTRIBUTE(name)                                                           \
	static int name##_open(struct inode *inode, struct file *file)                             \
	{                                                                                          \
		return single_open(file, name##_show, pde_data(inode));                            \
	}                                                                                          \
	static const struct proc_ops name##_proc_ops = {.proc_open = name##_open,                  \
							.proc_read = seq_read,                     \
							.proc_lseek = seq_lseek,                   \
							.proc_release = single_release}

#endif
