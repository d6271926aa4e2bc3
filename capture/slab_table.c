/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * /sys/kernel/slab as one table: a line per cache, "name=value" per attribute. Merged caches are
 * one directory with several symbolic links to it (Documentation/ABI/testing/sysfs-kernel-slab);
 * each cache is listed once, under the name the kernel itself uses (the one in /proc/slabinfo).
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "results/term.h"
#include "slab_lists.h"
#include "slab_table.h"

#define ROOT "/sys/kernel/slab"

/* In the order they are printed. The first NR_NUMBERS are kept as numbers too. */
static const char *const attributes[] = {
	"object_size",
	"slab_size",
	"align",
	"order",
	"objs_per_slab",
	"min_partial",
	"cpu_partial",
	"sheaf_capacity",
	"reclaim_account",
	"destroy_by_rcu",
	"hwcache_align",
	"cache_dma",
	"slabs",
	"partial",
	"objects",
	"total_objects",
	"cpu_slabs",
	"slabs_cpu_partial",
	"objects_partial",
	"usersize",
	"red_zone",
	"poison",
	"store_user",
	"sanity_checks",
	"ctor",
};
#define NR_ATTRIBUTES (sizeof(attributes) / sizeof(attributes[0]))
enum {
	OBJECT_SIZE,
	SLAB_SIZE,
	ALIGN,
	ORDER,
	OBJS_PER_SLAB,
	MIN_PARTIAL,
	CPU_PARTIAL,
	SHEAF_CAPACITY,
	RECLAIM_ACCOUNT,
	DESTROY_BY_RCU,
	HWCACHE_ALIGN,
	CACHE_DMA,
	NR_NUMBERS
};

struct slab_entry {
	char *directory; /* "kmalloc-64" or ":0000064" */
	char *aliases;   /* names that link to it, separated by commas; or NULL */
	char *name;      /* the kernel's own */
	char *values[NR_ATTRIBUTES];
	uint64_t numbers[NR_NUMBERS];
};

struct km_slab_table {
	struct slab_entry *entries;
	size_t count;
	char *slabinfo;
};

static char *read_text(int directory, const char *path)
{
	char text[4096];
	ssize_t got;
	int fd = openat(directory, path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return NULL;
	got = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (got < 0)
		return NULL;
	while (got > 0 && (text[got - 1] == '\n' || text[got - 1] == ' '))
		got--;
	text[got] = '\0';
	/* Counts per node and CPU follow the total ("5 N0=5"): one word, so that lines split. */
	for (char *space = strchr(text, ' '); space; space = strchr(space, ' '))
		*space = ',';
	return strdup(text);
}

static struct slab_entry *find(const struct km_slab_table *table, const char *directory)
{
	for (size_t i = 0; i < table->count; i++)
		if (strcmp(table->entries[i].directory, directory) == 0)
			return &table->entries[i];
	return NULL;
}

static void read_entry(int root, struct slab_entry *entry)
{
	int directory = openat(root, entry->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (directory < 0)
		return;
	for (size_t i = 0; i < NR_ATTRIBUTES; i++) {
		entry->values[i] = read_text(directory, attributes[i]);
		if (entry->values[i] && i < NR_NUMBERS)
			entry->numbers[i] = strtoull(entry->values[i], NULL, 10);
	}
	close(directory);
}

static int add_directory(struct km_slab_table *table, const char *name)
{
	struct slab_entry *entries =
		reallocarray(table->entries, table->count + 1, sizeof(*entries));

	if (!entries)
		return -ENOMEM;
	table->entries = entries;
	memset(&entries[table->count], 0, sizeof(*entries));
	entries[table->count].directory = strdup(name);
	return entries[table->count++].directory ? 0 : -ENOMEM;
}

static int add_alias(struct km_slab_table *table, int root, const char *name)
{
	char target[256], *joined;
	ssize_t bytes = readlinkat(root, name, target, sizeof(target) - 1);
	struct slab_entry *entry;

	if (bytes <= 0)
		return 0;
	target[bytes] = '\0';
	entry = find(table, strrchr(target, '/') ? strrchr(target, '/') + 1 : target);
	if (!entry)
		return 0;
	if (asprintf(&joined, "%s%s%s", entry->aliases ? entry->aliases : "",
		     entry->aliases ? "," : "", name) < 0)
		return -ENOMEM;
	free(entry->aliases);
	entry->aliases = joined;
	return 0;
}

/* Is `name` the first word of a line of /proc/slabinfo? */
static bool in_slabinfo(const char *slabinfo, const char *name, size_t length)
{
	for (const char *line = slabinfo; line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (strncmp(line, name, length) == 0 && line[length] == ' ')
			return true;
	}
	return false;
}

static int choose_name(const struct km_slab_table *table, struct slab_entry *entry)
{
	const char *name = entry->aliases;
	size_t length;

	while (name && *name) {
		length = strcspn(name, ",");
		if (in_slabinfo(table->slabinfo, name, length)) {
			entry->name = strndup(name, length);
			return entry->name ? 0 : -ENOMEM;
		}
		name += length + (name[length] == ',');
	}
	entry->name = strdup(entry->directory);
	return entry->name ? 0 : -ENOMEM;
}

/* One pass over the directory: plain directories, or the symbolic links among the names. */
static int scan(struct km_slab_table *table, DIR *root, bool links)
{
	struct dirent *each;
	int ret = 0;

	rewinddir(root);
	while (!ret && (each = readdir(root))) {
		if (each->d_name[0] == '.')
			continue;
		if (links && each->d_type == DT_LNK)
			ret = add_alias(table, dirfd(root), each->d_name);
		else if (!links && each->d_type == DT_DIR)
			ret = add_directory(table, each->d_name);
	}
	return ret;
}

static char *read_all(const char *path)
{
	char *text = NULL;
	size_t room = 0;
	FILE *in = fopen(path, "re");

	if (!in)
		return strdup("");
	if (getdelim(&text, &room, '\0', in) < 0) {
		free(text);
		text = strdup("");
	}
	fclose(in);
	return text;
}

bool km_slab_table_hidden(void)
{
	/* A cache that every kernel has; all have the same permissions. */
	return eaccess(ROOT "/kmalloc-64/slab_size", R_OK) && errno == EACCES;
}

int km_slab_table_read(struct km_slab_table **result)
{
	struct km_slab_table *table = calloc(1, sizeof(*table));
	DIR *root = opendir(ROOT);
	int ret = -ENOMEM;

	if (table)
		table->slabinfo = read_all("/proc/slabinfo");
	if (!table || !table->slabinfo)
		goto done;
	ret = 0;
	/* No sysfs, no SLUB, or not ours to read: an empty table, geometry stays unknown. */
	if (!root || km_slab_table_hidden())
		goto done;
	ret = scan(table, root, false);
	if (!ret)
		ret = scan(table, root, true);
	for (size_t i = 0; !ret && i < table->count; i++) {
		read_entry(dirfd(root), &table->entries[i]);
		ret = choose_name(table, &table->entries[i]);
	}
done:
	if (root)
		closedir(root);
	if (ret) {
		km_slab_table_free(table);
		return ret;
	}
	*result = table;
	return 0;
}

char *km_slab_table_text(const struct km_slab_table *table)
{
	char *text = NULL;
	size_t bytes;
	FILE *out = open_memstream(&text, &bytes);

	if (!out)
		return NULL;
	for (size_t i = 0; i < table->count; i++) {
		const struct slab_entry *entry = &table->entries[i];

		fprintf(out, "name=%s directory=%s", entry->name, entry->directory);
		if (entry->aliases)
			fprintf(out, " aliases=%s", entry->aliases);
		for (size_t j = 0; j < NR_ATTRIBUTES; j++)
			if (entry->values[j] && (entry->values[j][0] || j < NR_NUMBERS))
				fprintf(out, " %s=%s", attributes[j], entry->values[j]);
		fputc('\n', out);
	}
	return fclose(out) == 0 ? text : NULL;
}

static bool has_name(const struct slab_entry *entry, const char *name)
{
	size_t length = strlen(name);
	const char *at = entry->aliases;

	if (strcmp(entry->directory, name) == 0)
		return true;
	while (at && *at) {
		if (strcspn(at, ",") == length && strncmp(at, name, length) == 0)
			return true;
		at += strcspn(at, ",");
		at += *at == ',';
	}
	return false;
}

bool km_slab_table_fill(const struct km_slab_table *table, struct km_trace_cache *cache)
{
	const struct slab_entry *entry = NULL;

	for (size_t i = 0; i < table->count && !entry; i++)
		if (has_name(&table->entries[i], cache->name))
			entry = &table->entries[i];
	/* Two caches of one name exist; the sizes tell whether this is the one. */
	if (!entry || entry->numbers[SLAB_SIZE] != cache->size)
		return false;
	cache->has_geometry = 1;
	cache->order = (uint32_t)entry->numbers[ORDER];
	cache->objects_per_slab = (uint32_t)entry->numbers[OBJS_PER_SLAB];
	cache->min_partial = (uint32_t)entry->numbers[MIN_PARTIAL];
	cache->cpu_partial = (uint32_t)entry->numbers[CPU_PARTIAL];
	cache->sheaf_capacity = (uint32_t)entry->numbers[SHEAF_CAPACITY];
	cache->reclaim_account = entry->numbers[RECLAIM_ACCOUNT] != 0;
	cache->typesafe_by_rcu = entry->numbers[DESTROY_BY_RCU] != 0;
	cache->hwcache_align = entry->numbers[HWCACHE_ALIGN] != 0;
	cache->cache_dma = entry->numbers[CACHE_DMA] != 0;
	return true;
}

void km_slab_table_free(struct km_slab_table *table)
{
	if (!table)
		return;
	for (size_t i = 0; i < table->count; i++) {
		free(table->entries[i].directory);
		free(table->entries[i].aliases);
		free(table->entries[i].name);
		for (size_t j = 0; j < NR_ATTRIBUTES; j++)
			free(table->entries[i].values[j]);
	}
	free(table->entries);
	free(table->slabinfo);
	free(table);
}

static bool shrink(int root, const char *directory)
{
	char path[512];
	bool asked;
	int fd;

	snprintf(path, sizeof(path), "%s/shrink", directory);
	fd = openat(root, path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	asked = write(fd, "1", 1) == 1;
	close(fd);
	return asked;
}

static void print_counts(FILE *out, int root, const char *directory, uint64_t shrunk_ns)
{
	static const char *const counts[] = {"slabs", "partial", "cpu_slabs"};
	char path[512], *value;

	fprintf(out, "shrunk directory=%s shrunk_ns=%" PRIu64, directory, shrunk_ns);
	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", directory, counts[i]);
		value = read_text(root, path);
		if (value)
			fprintf(out, " %s=%s", counts[i], value);
		free(value);
	}
	fputc('\n', out);
}

static void end_text(FILE *out, char **text)
{
	if (out && !fclose(out))
		return;
	free(*text);
	*text = NULL;
}

unsigned km_slab_shrink_all(uint64_t start_ns, struct km_slab_lists *lists,
			    struct km_shrunk *shrunk)
{
	DIR *root = opendir(ROOT);
	struct dirent *each;
	size_t bytes;
	FILE *counts = shrunk ? open_memstream(&shrunk->counts, &bytes) : NULL;
	FILE *listed = shrunk && lists ? open_memstream(&shrunk->lists, &bytes) : NULL;
	unsigned asked = 0;
	uint64_t now_ns;

	while (root && (each = readdir(root))) {
		if (each->d_type != DT_DIR || each->d_name[0] == '.' ||
		    !shrink(dirfd(root), each->d_name))
			continue;
		asked++;
		now_ns = km_clock_ns() - start_ns;
		if (listed) /* first: reading sysfs uses caches itself */
			km_slab_lists_print(lists, listed, each->d_name, start_ns);
		if (counts)
			print_counts(counts, dirfd(root), each->d_name, now_ns);
	}
	if (root)
		closedir(root);
	if (shrunk) {
		end_text(counts, &shrunk->counts);
		end_text(listed, &shrunk->lists);
	}
	return asked;
}
