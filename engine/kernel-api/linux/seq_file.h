/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _LINUX_SEQ_FILE_H
#define _LINUX_SEQ_FILE_H

#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/string.h>

struct seq_file;
struct seq_operations {
	void *(*start)(struct seq_file *, loff_t *);
	void (*stop)(struct seq_file *, void *);
	void *(*next)(struct seq_file *, void *, loff_t *);
	int (*show)(struct seq_file *, void *);
};
struct seq_file {
	char *buf;
	size_t size, count;
	loff_t index;
	const struct seq_operations *op;
	int (*single)(struct seq_file *, void *);
	void *private;
	bool kmlab_done;
};

static inline void seq_printf(struct seq_file *file, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	file->count += vscnprintf(file->buf + file->count, file->size - file->count, format, args);
	va_end(args);
}
#define seq_puts(file, text) seq_printf(file, "%s", text)
#define seq_putc(file, c) seq_printf(file, "%c", c)
static inline int kmlab_seq_open(const struct kmlab_site *site, struct file *file,
				 const struct seq_operations *op,
				 int (*single)(struct seq_file *, void *), void *private)
{
	struct seq_file *seq =
		kmlab_api->do_kmalloc(site, sizeof(*seq), GFP_KERNEL | __GFP_ZERO, -1);

	if (!seq)
		return -ENOMEM;
	seq->op = op;
	seq->single = single;
	seq->private = private;
	file->private_data = seq;
	return 0;
}
#define single_open(file, show, data)                                                              \
	kmlab_seq_open(KMLAB_SITE("single_open"), file, NULL, show, data)
#define seq_open(file, op) kmlab_seq_open(KMLAB_SITE("seq_open"), file, op, NULL, NULL)
static inline ssize_t seq_read(struct file *file, char __user *to, size_t n, loff_t *at)
{
	struct seq_file *seq = file->private_data;

	if (!seq->buf) {
		seq->size = PAGE_SIZE;
		seq->buf = kvmalloc(seq->size, GFP_KERNEL);
		if (!seq->buf)
			return -ENOMEM;
	}
	if (!seq->kmlab_done && seq->single) {
		seq->single(seq, NULL);
	} else if (!seq->kmlab_done) {
		void *entry = seq->op->start(seq, &seq->index);

		while (entry && !IS_ERR(entry)) {
			seq->op->show(seq, entry);
			entry = seq->op->next(seq, entry, &seq->index);
		}
		seq->op->stop(seq, entry);
	}
	seq->kmlab_done = true;
	return simple_read_from_buffer(to, n, at, seq->buf, seq->count);
}
static inline int seq_release(struct inode *inode, struct file *file)
{
	struct seq_file *seq = file->private_data;

	kvfree(seq->buf);
	kfree(seq);
	return 0;
}
#define single_release seq_release
static inline loff_t seq_lseek(struct file *file, loff_t offset, int whence)
{
	return file->f_pos = offset;
}

#endif
