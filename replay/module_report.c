/* SPDX-License-Identifier: GPL-2.0-only */
/* The report of a module's run: rows, findings and log lines, appended in its process. */
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

#include "replay/module_kernel.h"

void km_where(char where[60], const struct kmlab_site *site)
{
	const char *file;

	if (!site) {
		snprintf(where, 60, "the kernel");
		return;
	}
	file = strrchr(site->file, '/');
	file = file ? file + 1 : site->file;
	snprintf(where, 60, "%.24s:%u %.24s()", file, site->line, site->function);
}

/* One finding per rule and place; the first one's words stay. */
static struct km_module_finding *find(enum km_rule rule, const char *where, uint64_t code)
{
	struct km_module_report *report = km_kernel->report;
	struct km_module_finding *finding;

	for (size_t i = 0; i < report->nr_findings; i++) {
		finding = &report->findings[i];
		if (finding->rule == rule && finding->code == code &&
		    strcmp(finding->where, where) == 0 && rule != KM_RULE_LEAK) {
			finding->count++;
			return NULL;
		}
	}
	if (report->nr_findings == KM_MODULE_FINDINGS)
		return NULL;
	finding = &report->findings[report->nr_findings++];
	finding->rule = rule;
	finding->code = code;
	finding->count = 1;
	snprintf(finding->where, sizeof(finding->where), "%s", where);
	return finding;
}

void km_find(enum km_rule rule, const struct kmlab_site *site, const char *format, ...)
{
	struct km_module_finding *finding;
	char where[60];
	va_list args;

	km_where(where, site);
	finding = find(rule, where, 0);
	if (!finding)
		return;
	va_start(args, format);
	vsnprintf(finding->what, sizeof(finding->what), format, args);
	va_end(args);
}

void km_find_at(enum km_rule rule, uint64_t code, const char *format, ...)
{
	struct km_module_finding *finding;
	char where[60] = "";
	va_list args;

	if (!code && km_kernel->last)
		km_where(where, km_kernel->last);
	finding = find(rule, where, code);
	if (!finding)
		return;
	va_start(args, format);
	vsnprintf(finding->what, sizeof(finding->what), format, args);
	va_end(args);
}

struct km_module_call *km_record(const struct kmlab_site *site)
{
	static struct km_module_call beyond;
	struct km_module_report *report = km_kernel->report;
	struct km_module_call *call = &beyond;

	if (report->nr_calls < KM_MODULE_CALLS)
		call = &report->calls[report->nr_calls++];
	else
		report->lost_calls++;
	km_kernel->last = site;
	memset(call, 0, sizeof(*call));
	snprintf(call->call, sizeof(call->call), "%s", site->call);
	km_where(call->where, site);
	call->phase = (uint8_t)km_kernel->phase;
	return call;
}

void km_log(int level, const char *text, size_t length)
{
	struct km_module_report *report = km_kernel->report;
	struct km_module_line *line;

	if (report->nr_lines == KM_MODULE_LINES ||
	    report->text_used + length + 1 > KM_MODULE_TEXT) {
		report->lost_lines++;
		return;
	}
	line = &report->lines[report->nr_lines++];
	*line = (struct km_module_line){km_kernel->now_ns, (uint32_t)report->text_used, level};
	memcpy(report->text + report->text_used, text, length);
	report->text[report->text_used + length] = 0;
	report->text_used += length + 1;
}

uint64_t km_code(const void *address)
{
	Dl_info info;

	/* A return address: the call is before it. */
	if (!address || !dladdr(address, &info) || info.dli_fbase != km_kernel->base)
		return 0;
	return (uint64_t)((const char *)address - (const char *)info.dli_fbase) - 1;
}
