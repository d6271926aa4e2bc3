/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Call sites to symbols through /proc/kallsyms, read once, sorted by address. A site is a return
 * address: it lies inside the symbol that starts at or below it (the kernel's %pS).
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "capture.h"

struct symbol {
	uint64_t address;
	size_t name, module; /* offsets into the text; module 0: the kernel image */
};

struct symbols {
	struct symbol *list;
	size_t count, room;
	char *text;
	size_t bytes;
	bool hidden; /* all addresses read as zero */
};

static int by_address(const void *a, const void *b)
{
	uint64_t left = ((const struct symbol *)a)->address;
	uint64_t right = ((const struct symbol *)b)->address;

	return left < right ? -1 : left > right;
}

static int add_symbol(struct symbols *symbols, const struct symbol *symbol)
{
	struct symbol *grown;

	if (symbols->count == symbols->room) {
		symbols->room = symbols->room ? symbols->room * 2 : 65536;
		grown = reallocarray(symbols->list, symbols->room, sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		symbols->list = grown;
	}
	symbols->list[symbols->count++] = *symbol;
	return 0;
}

/* "ffffffff81000000 T name\t[module]": cut in place. Only code can be a call site. */
static int parse_line(struct symbols *symbols, char *line)
{
	struct symbol symbol = {0};
	char *at, *module;

	symbol.address = strtoull(line, &at, 16);
	if (at == line || at[0] != ' ' || !at[1] || at[2] != ' ')
		return 0;
	if (!symbol.address) {
		symbols->hidden = true;
		return 0;
	}
	if (!strchr("tTwW", at[1]))
		return 0;
	symbol.name = (size_t)(at + 3 - symbols->text);
	module = strchr(at + 3, '\t');
	if (module) {
		*module = '\0';
		if (module[1] == '[')
			symbol.module = (size_t)(module + 2 - symbols->text);
		module[strcspn(module + 1, "]") + 1] = '\0';
	}
	return add_symbol(symbols, &symbol);
}

static int read_symbols(struct symbols *symbols)
{
	FILE *in = fopen("/proc/kallsyms", "re");
	char *line, *next;
	size_t room = 0;
	ssize_t got;
	int ret = 0;

	if (!in)
		return -errno;
	got = getdelim(&symbols->text, &room, '\0', in);
	fclose(in);
	if (got <= 0)
		return -EIO;
	for (line = symbols->text; !ret && *line; line = next) {
		next = strchr(line, '\n');
		if (!next)
			break;
		*next++ = '\0';
		ret = parse_line(symbols, line);
	}
	if (symbols->count)
		qsort(symbols->list, symbols->count, sizeof(*symbols->list), by_address);
	return ret;
}

static const struct symbol *find_symbol(const struct symbols *symbols, uint64_t address)
{
	size_t low = 0, high = symbols->count, middle;

	while (low < high) {
		middle = low + (high - low) / 2;
		if (symbols->list[middle].address <= address)
			low = middle + 1;
		else
			high = middle;
	}
	/* A return address that starts a symbol belongs to the one before, which ended in a call.
	 */
	while (low > 0 && symbols->list[low - 1].address == address)
		low--;
	return low ? &symbols->list[low - 1] : NULL;
}

static void name_site(const struct symbols *symbols, struct km_trace_site *site)
{
	const struct symbol *symbol = find_symbol(symbols, site->address);

	/* Far beyond any function: a module or program that is gone. */
	if (!symbol || site->address - symbol->address > (1u << 20))
		return;
	snprintf(site->symbol, sizeof(site->symbol), "%s", symbols->text + symbol->name);
	site->offset = (uint32_t)(site->address - symbol->address);
	if (symbol->module)
		snprintf(site->module, sizeof(site->module), "%s", symbols->text + symbol->module);
}

int km_symbols_resolve(struct km_trace_writer *writer, uint32_t *sites, uint32_t *unresolved,
		       struct km_err *err)
{
	struct symbols symbols = {0};
	const uint64_t *addresses = km_trace_sites(writer, sites);
	int ret = read_symbols(&symbols);

	*unresolved = 0;
	if (ret == -ENOMEM) {
		km_fail(err, ret, "no memory for the kernel's symbols");
		goto done;
	}
	ret = 0;
	for (uint32_t id = 1; id < *sites && !ret; id++) {
		struct km_trace_site site = {.id = id, .address = addresses[id]};

		name_site(&symbols, &site);
		*unresolved += !site.symbol[0];
		ret = km_trace_define_site(writer, &site, err);
	}
done:
	free(symbols.list);
	free(symbols.text);
	return ret;
}

/* Where the symbol after it begins, or a little beyond it. */
static uint64_t end_of(const struct symbols *symbols, size_t i)
{
	uint64_t start = symbols->list[i].address;

	while (i < symbols->count && symbols->list[i].address == start)
		i++;
	return i < symbols->count ? symbols->list[i].address : start + KM_PAGE_SIZE;
}

static bool matches(const struct symbols *symbols, size_t i, const char *name)
{
	const struct symbol *symbol = &symbols->list[i];
	size_t length = strlen(name);

	if (name[0] != '[')
		return strcmp(symbols->text + symbol->name, name) == 0;
	return symbol->module &&
	       strncmp(symbols->text + symbol->module, name + 1, length - 2) == 0 &&
	       symbols->text[symbol->module + length - 2] == '\0';
}

int km_symbols_find(const char *name, uint64_t *from, uint64_t *to, unsigned room, unsigned *count)
{
	struct symbols symbols = {0};
	int ret = read_symbols(&symbols);

	*count = 0;
	for (size_t i = 0; !ret && i < symbols.count; i++) {
		if (!matches(&symbols, i, name))
			continue;
		/* A module's functions follow one another. */
		if (*count && name[0] == '[' && to[*count - 1] == symbols.list[i].address) {
			to[*count - 1] = end_of(&symbols, i);
		} else if (*count < room) {
			from[*count] = symbols.list[i].address;
			to[(*count)++] = end_of(&symbols, i);
		} else {
			ret = -E2BIG;
		}
	}
	if (!ret && !*count)
		ret = symbols.hidden ? -EACCES : -ENOENT;
	free(symbols.list);
	free(symbols.text);
	return ret;
}
