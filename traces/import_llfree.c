/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Page traces of the LLFree kernel, as its replay program lays them down
 * (https://github.com/luhsra/llfree-rs, eval/src/bin/replay.rs of 2026, TraceHeader, TracePage,
 * TraceEntry): pages of 4096 bytes, little endian. The first holds three numbers of 32 bits: trace
 * pages, CPUs, highest pfn. Each other page is of one CPU: its number, and from byte 16 on 255
 * entries of 128 bits, lowest bit first:
 *	time 38 (microseconds), pfn 24, allocation 1, order 4, gfp 29, pid 32.
 * Entries that are 0 are not used. The older traces of 8 bytes per entry have neither order nor a
 * usable time, and are refused with what else does not fit. Bit 28 of gfp is LLFree's own (page
 * cache) and is left out.
 */
#include "importer.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#define PAGE 4096
#define FIRST_ENTRY 16
#define ENTRIES ((PAGE - FIRST_ENTRY) / 16)
#define PAGE_CACHE_BIT (1u << 28)

struct entry {
	uint64_t time_us;
	uint32_t pfn, gfp, pid;
	uint8_t order;
	bool alloc;
};

static uint32_t load32(const uint8_t *from)
{
	uint32_t value;

	memcpy(&value, from, sizeof(value));
	return value;
}

static bool load_entry(const uint8_t *from, struct entry *entry)
{
	uint64_t low, high;

	memcpy(&low, from, sizeof(low));
	memcpy(&high, from + sizeof(low), sizeof(high));
	if (!low && !high)
		return false;
	entry->time_us = low & ((1ull << 38) - 1);
	entry->pfn = low >> 38 & 0xffffff;
	entry->alloc = low >> 62 & 1;
	entry->order = (uint8_t)(low >> 63 | (high & 7) << 1);
	entry->gfp = (high >> 3 & 0x1fffffff) & ~PAGE_CACHE_BIT;
	entry->pid = (uint32_t)(high >> 32);
	return true;
}

/* The first entry of the trace in time; each CPU's pages are in order, but not all CPUs together.
 */
static int find_origin(FILE *in, uint64_t *origin_us)
{
	uint8_t page[PAGE];
	struct entry entry;

	*origin_us = UINT64_MAX;
	while (fread(page, sizeof(page), 1, in) == 1)
		if (load_entry(page + FIRST_ENTRY, &entry) && entry.time_us < *origin_us)
			*origin_us = entry.time_us;
	return ferror(in) || fseek(in, PAGE, SEEK_SET) ? -EIO : 0;
}

static int bad_page(const struct km_importer *importer, struct km_err *err, const char *why)
{
	return km_fail(err, -EPROTO, "%s: page %llu: %s; it is no LLFree trace of 16-byte entries",
		       importer->name, (unsigned long long)importer->line, why);
}

static int take_page(struct km_importer *importer, const uint8_t *page, uint32_t max_pfn,
		     struct km_err *err)
{
	uint32_t cpu = load32(page);
	struct entry entry;
	int code = 0;

	for (unsigned i = 0; !code && i < ENTRIES; i++) {
		struct km_event event = {.node = -1, .context = KM_CTX_UNKNOWN};

		if (!load_entry(page + FIRST_ENTRY + 16 * i, &entry))
			continue;
		if (entry.pfn > max_pfn || entry.order > KM_MAX_ORDER)
			return bad_page(importer, err, "an entry is out of range (pfn, order)");
		/* The pages of one CPU follow one another, those of all do not. */
		importer->parsed_ns = importer->cpus[cpu].seen
					      ? importer->cpus[cpu].last_ns / 1000 * 1000
					      : UINT64_MAX;
		importer->given_ns = importer->cpus[cpu].last_ns;
		event.time_ns = km_import_time(importer, entry.time_us * 1000, 1000);
		event.kind = entry.alloc ? KM_EV_PAGE_ALLOC : KM_EV_PAGE_FREE;
		event.ptr = entry.pfn;
		event.order = entry.order;
		event.bytes_req = event.bytes_alloc = KM_PAGE_SIZE << entry.order;
		event.gfp = entry.alloc ? entry.gfp : 0;
		event.task = km_import_task(importer, entry.pid, 0, (struct km_text){"", 0});
		code = km_import_tick(importer, cpu, event.time_ns, err);
		if (!code)
			code = km_import_append(importer, cpu, &event, err);
	}
	return code;
}

int km_import_llfree(struct km_importer *importer, FILE *in, struct km_err *err)
{
	uint32_t cores, max_pfn;
	uint64_t origin_us;
	uint8_t page[PAGE];
	XXH128_hash_t sum;
	size_t got = 0;
	int code;

	if (fread(page, sizeof(page), 1, in) != 1)
		return bad_page(importer, err, "it is shorter than a page");
	cores = load32(page + 4);
	max_pfn = load32(page + 8);
	if (!cores || cores > KM_MAX_CPUS || !max_pfn || max_pfn >= 1u << 24)
		return bad_page(importer, err, "its CPUs or its highest pfn cannot be");
	sum = XXH3_128bits(page, sizeof(page));
	code = find_origin(in, &origin_us);
	if (code)
		return km_fail(err, code, "cannot read %s twice: it must be a file",
			       importer->name);
	importer->begun = true;
	importer->origin_ns = origin_us == UINT64_MAX ? 0 : origin_us * 1000;
	while (!code && (got = fread(page, 1, sizeof(page), in)) == sizeof(page)) {
		importer->line++;
		code = km_import_stopped(importer, err);
		sum = XXH3_128bits_withSeed(page, sizeof(page), sum.low64 ^ sum.high64);
		if (code)
			break;
		if (load32(page) >= cores)
			code = bad_page(importer, err, "there is no such CPU");
		else
			code = take_page(importer, page, max_pfn, err);
	}
	if (!code && got)
		code = bad_page(importer, err, "it is cut off");
	importer->digest[0] = sum.high64;
	importer->digest[1] = sum.low64;
	return code ? code
		    : km_import_meta(importer, err, "memory_bytes", "%llu",
				     ((unsigned long long)max_pfn + 1) * KM_PAGE_SIZE);
}
