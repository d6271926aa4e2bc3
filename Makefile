# SPDX-License-Identifier: GPL-2.0-only
# The only makefile; everything built goes to $(BUILD). Long commands: make V=1.
#   make · make check · make demo · make lint · make install DESTDIR= prefix=/usr
#   CC=clang   SAN=address,undefined | thread   BUILD=dir

CC      ?= cc
CLANG   ?= clang
BPFTOOL ?= $(firstword $(wildcard /usr/sbin/bpftool /usr/local/sbin/bpftool) bpftool)
BUILD   ?= build
SAN     ?=
prefix  ?= /usr/local
bindir  ?= $(prefix)/bin
libexecdir ?= $(prefix)/libexec/kmlab
datadir ?= $(prefix)/share/kmlab
unitdir ?= $(prefix)/lib/systemd/system
VERSION := 0.1

ifeq ($(V),)
Q := @
say = @printf '  %-8s %s\n' $(1) $(patsubst $(BUILD)/%,%,$(2))
endif

# ---- what this machine has; a missing library drops its part out, with a sentence at run time ----
have_header = $(shell printf '\#include <$(1)>\n' | $(CC) $(2) -E -x c - >/dev/null 2>&1 && echo 1)
LIBPERF := $(BUILD)/libperf
HAVE_LIBPERF := $(wildcard $(LIBPERF)/lib/libperf.a)
HAVE_LIBBPF  := $(call have_header,bpf/libbpf.h)
HAVE_BTF     := $(wildcard /sys/kernel/btf/vmlinux)
CAN_CAPTURE  := $(and $(HAVE_LIBBPF),$(shell command -v $(CLANG) 2>/dev/null),$(shell command -v $(BPFTOOL) 2>/dev/null))

comma  := ,
WARN   := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla -Wpointer-arith
OPT    := -O2 -g
ifneq ($(SAN),)
OPT    := -O1 -g -fsanitize=$(SAN) -fno-omit-frame-pointer -fno-sanitize-recover=all
override BUILD := $(BUILD)/$(subst $(comma),-,$(SAN))
endif
ifneq ($(findstring undefined,$(SAN)),)
OPT    += -fsanitize=float-cast-overflow # of clang's "undefined", but not of gcc's
endif
# For fuzzing only what is tested is instrumented. Comparisons are not traced, which took a third of the
# time: dictionaries and the targets' own ways to change inputs know what is compared with.
ifneq ($(findstring fuzzer,$(SAN)),)
OPT    += -fno-sanitize-coverage=trace-cmp
NOT_TESTED = $(if $(filter traces/fuzz/program/% traces/fuzz/mutate.c,$<),-fno-sanitize=all)
endif
CPPFLAGS += -D_GNU_SOURCE -DKMLAB_VERSION='"$(VERSION)"' -Iengine/include -I.
CFLAGS  ?= $(OPT)
ALL_CFLAGS = -std=gnu11 $(CFLAGS) $(WARN) $(EXTRA_CFLAGS) $(NOT_TESTED) -MMD -MP
EXTRA_CFLAGS ?=
LDLIBS_BASE := -lsqlite3 -lzstd -lxxhash -lm -lpthread

ifneq ($(HAVE_LIBPERF),)
PERF_CFLAGS := -DHAVE_LIBPERF -I$(LIBPERF)/include
PERF_LIBS   := $(LIBPERF)/lib/libperf.a $(LIBPERF)/lib/libapi.a
endif

# ---- folders: sources by wildcard; NAME_main.c is a program of its own ----
folders := engine traces results replay analysis
sources = $(filter-out %_main.c %.bpf.c,$(wildcard $(1)/*.c))
objects = $(patsubst %.c,$(BUILD)/obj/%.o,$(call sources,$(1)))
archive = $(BUILD)/lib/libkmlab-$(1).a
archives := $(foreach f,$(folders),$(call archive,$(f)))
# Link order: verbs, nouns, engine.
verbs  := $(call archive,replay) $(call archive,analysis)
nouns  := $(call archive,traces) $(call archive,results) $(call archive,engine)

programs := $(BUILD)/kmlab
# A sanitizer's runtime is not in the program that loads the extension.
ifeq ($(SAN),)
programs += $(BUILD)/kmlab.so
endif
ifneq ($(CAN_CAPTURE),)
ifneq ($(HAVE_BTF)$(wildcard $(BUILD)/vmlinux.h),)
programs += $(BUILD)/kmlab-capture
endif
endif
programs += $(BUILD)/kmlab-workload

all: $(programs)

# What was compiled with which flags: when libperf appears or a variable changes, the objects follow.
flags := $(CC) $(CFLAGS) $(EXTRA_CFLAGS) $(CPPFLAGS) $(PERF_CFLAGS)
$(BUILD)/flags: .FORCE
	$(shell mkdir -p $(BUILD))$(file >$@.new,$(flags))
	$(Q)cmp -s $@.new $@ || cp $@.new $@
.FORCE:

$(BUILD)/obj/%.o: %.c $(BUILD)/flags
	$(call say,CC,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) $(CPPFLAGS) $(FLAGS_$(firstword $(subst /, ,$<))) -c $< -o $@

FLAGS_replay := $(PERF_CFLAGS)

# SQL schemas as C strings: the .sql files stay the single source.
$(BUILD)/schema_%.h: %/schema.sql
	$(call say,SQL,$<)
	$(Q)mkdir -p $(@D) && { echo 'static const char km_$*_schema[] ='; \
		sed 's/\\/\\\\/g; s/"/\\"/g; s/.*/"&\\n"/' $<; echo ';'; } > $@.tmp && mv $@.tmp $@
$(call objects,traces): $(BUILD)/schema_traces.h
$(call objects,results): $(BUILD)/schema_results.h
FLAGS_traces := -I$(BUILD)
# Sums side by side in memory, each of which the next event changes again: 3 % slower as vectors.
$(BUILD)/obj/analysis/stat.o: FLAGS_analysis := -fno-tree-slp-vectorize
FLAGS_results := -I$(BUILD)

# Scripts and styles are read by the assembler, which -MMD does not see.
$(BUILD)/obj/analysis/plots.o: $(wildcard analysis/plots/*.gp) analysis/report.css

define archive_rule
$(call archive,$(1)): $(call objects,$(1))
	$$(call say,AR,$$@)
	$$(Q)mkdir -p $$(@D) && rm -f $$@ && ar rcs $$@ $$^
endef
$(foreach f,$(folders),$(eval $(call archive_rule,$(f))))

$(BUILD)/kmlab: $(BUILD)/obj/kmlab.o $(verbs) $(nouns)
	$(call say,LD,$@)
	$(Q)$(CC) $(ALL_CFLAGS) $^ $(PERF_LIBS) $(LDLIBS_BASE) $(LDLIBS) -ldl -o $@

$(BUILD)/kmlab-workload: $(BUILD)/obj/capture/workload_main.o
	$(call say,LD,$@)
	$(Q)$(CC) $(ALL_CFLAGS) $^ -lpthread -o $@

# ---- the virtual tables as an extension of SQLite, which is called through the table that it hands over ----
extension_parts   := addr_table briefs columns cursor decode decode_columns decode_times lane page_map read_ahead reader reader_tables repair select store vtab vtab_event vtab_object vtab_views
extension_objects := $(extension_parts:%=$(BUILD)/ext/traces/%.o) $(BUILD)/ext/traces/extension_main.o
$(BUILD)/ext/%.o: %.c $(BUILD)/flags $(BUILD)/schema_traces.h
	$(call say,CC,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) $(CPPFLAGS) $(FLAGS_traces) -fPIC -fvisibility=hidden \
		-include traces/extension.h -c $< -o $@

$(BUILD)/kmlab.so: $(extension_objects)
	$(call say,LD,$@)
	$(Q)$(CC) $(ALL_CFLAGS) -shared $^ -Wl,-z,defs -lzstd -lxxhash -lm -lpthread -o $@

# ---- capture: vmlinux.h and the skeleton are made from this machine's kernel at build time ----
$(BUILD)/vmlinux.h:
	$(call say,BTF,$@)
	$(Q)mkdir -p $(@D) && $(BPFTOOL) btf dump file /sys/kernel/btf/vmlinux format c > $@.tmp && mv $@.tmp $@

bpf_arch := $(patsubst aarch64,arm64,$(patsubst x86_64,x86,$(shell uname -m)))
$(BUILD)/obj/capture/%.bpf.o: capture/%.bpf.c $(wildcard capture/*.h) $(BUILD)/vmlinux.h
	$(call say,BPF,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CLANG) -g -O2 -target bpf -D__TARGET_ARCH_$(bpf_arch) -I$(BUILD) -I. -Wall \
		-Wno-missing-declarations -c $< -o $@.tmp
	$(Q)$(BPFTOOL) gen object $@ $@.tmp && rm -f $@.tmp

$(BUILD)/%.skel.h: $(BUILD)/obj/capture/%.bpf.o
	$(call say,SKEL,$@)
	$(Q)$(BPFTOOL) gen skeleton $< name $*_bpf > $@.tmp && mv $@.tmp $@

capture_objects := $(call objects,capture) $(BUILD)/obj/capture/capture_main.o
$(capture_objects): $(BUILD)/record.skel.h $(BUILD)/chase.skel.h $(BUILD)/slabs.skel.h
FLAGS_capture := -I$(BUILD)
CAPTURE_LIBS  := -lbpf -lelf -lz
$(BUILD)/obj/capture/workload_main.o: FLAGS_capture :=

$(BUILD)/kmlab-capture: $(capture_objects) $(nouns)
	$(call say,LD,$@)
	$(Q)$(CC) $(ALL_CFLAGS) $^ $(CAPTURE_LIBS) $(LDLIBS_BASE) $(LDLIBS) -lpthread -o $@

# ---- libperf, from the kernel source Debian ships ----
libperf: $(LIBPERF)/lib/libperf.a
$(LIBPERF)/lib/libperf.a:
	$(call say,LIBPERF,$@)
	$(Q)./.ci/libperf $(abspath $(LIBPERF))

# ---- tests ----
tested := $(folders) $(if $(filter %/kmlab-capture,$(programs)),capture)
unit_sources := $(wildcard $(addsuffix /tests/t_*.c,$(tested)))
unit_tests   := $(patsubst %.c,$(BUILD)/tests/%,$(unit_sources))
cli_tests    := $(wildcard */tests/t_*.sh)

# A test may use its own folder's archive (capture's objects) and what lies below it.
below_engine   := $(call archive,engine)
below_traces   := $(call archive,traces) $(below_engine)
below_results  := $(call archive,results) $(below_engine)
below_replay   := $(call archive,replay) $(nouns)
below_analysis := $(call archive,analysis) $(nouns)
below_capture  := $(call objects,capture) $(nouns)
define unit_rule
$(BUILD)/tests/$(1)/tests/%: $(BUILD)/obj/$(1)/tests/%.o $(below_$(1))
	$$(call say,LD,$$@)
	$$(Q)mkdir -p $$(@D)
	$$(Q)$$(CC) $$(ALL_CFLAGS) $$^ $$(if $$(filter replay,$(1)),$$(PERF_LIBS)) \
		$$(if $$(filter capture,$(1)),$$(CAPTURE_LIBS)) $$(if $$(filter engine,$(1)),,$$(LDLIBS_BASE)) $$(LDLIBS) -lm -o $$@
endef
$(foreach f,$(tested),$(eval $(call unit_rule,$(f))))
.SECONDARY:

tests: $(unit_tests)

# Unit and CLI tests of this build. KMLAB and KMLAB_BUILD tell the scripts what to run.
test_env = KMLAB=$(abspath $(BUILD)/kmlab) KMLAB_BUILD=$(abspath $(BUILD)) LC_ALL=C
# Unit tests run side by side; the others time, record or boot, and want the machine to themselves.
jobs      := $(shell nproc 2>/dev/null || echo 1)
run_prove  = $(test_env) prove --failures --comments --timer --exec ''
prove: all tests
	$(Q)$(run_prove) --jobs $(jobs) $(unit_tests)
	$(Q)$(if $(SAN),,$(run_prove) $(cli_tests) .ci/lint)

# Both README commands begin here: a fresh machine gets what is missing, then make starts anew and sees it.
deps:
	$(Q)./.ci/deps || echo "deps: going on with what is there"

lint: $(call archive,engine)
	$(Q)./.ci/lint $(BUILD)

build-all: deps
	$(Q)$(MAKE) --no-print-directory libperf || true
	$(Q)$(MAKE) --no-print-directory -j $(jobs) all

# Unit, CLI and lint parts; then the unit tests again under the sanitizers.
check: build-all
	$(Q)$(MAKE) --no-print-directory -j $(jobs) all tests
	$(Q)$(MAKE) --no-print-directory -j $(jobs) SAN=address,undefined all tests
	$(Q)$(MAKE) --no-print-directory -j $(jobs) SAN=thread all tests
	$(Q)$(MAKE) --no-print-directory prove-all

san_tests = $(foreach s,address-undefined thread,$(patsubst $(BUILD)/tests/%,$(BUILD)/$(s)/tests/%,$(unit_tests)))
prove-all:
	$(Q)$(run_prove) --jobs $(jobs) $(unit_tests) $(san_tests); failed=$$?; \
		$(run_prove) $(cli_tests) .ci/lint && exit $$failed

# ---- fuzzing (clang): FOLDER/fuzz/*.c are targets, FOLDER/fuzz/corpus.tar.xz what of their inputs is kept ----
# make fuzz FUZZ=chunk FUZZ_SECONDS=60 CORPUS=DIR: run one, in DIR, which is filled from the kept corpus.
# make fuzz-keep: the kept corpus is made anew of DIR; inputs named found-* stay in it.
FUZZ    ?= chunk
FUZZ_SECONDS ?= 60
CORPUS  ?= $(BUILD)/corpus
fuzz_of   = $(patsubst %.c,$(BUILD)/obj/%.o,$(wildcard $(1)/fuzz/*.c))
fuzz_folders := $(patsubst %/fuzz/corpus.tar.xz,%,$(wildcard */fuzz/corpus.tar.xz))
fuzz_shared  := $(addprefix $(BUILD)/obj/traces/fuzz/,targets.o mutate.o)
define fuzz_test
$(BUILD)/tests/$(1)/tests/t_fuzz: $(sort $(call fuzz_of,$(1)) $(fuzz_shared))
$(BUILD)/tests/$(1)/tests/t_fuzz: LDLIBS += $(below_$(1)) $(if $(filter replay,$(1)),$(PERF_LIBS)) $(LDLIBS_BASE)
endef
$(foreach f,$(fuzz_folders),$(eval $(call fuzz_test,$(f))))

# What the program takes over from memory: traces/fuzz/program/program.h
fuzz_wrapped := malloc calloc realloc free pthread_create ZSTD_createDCtx ZSTD_freeDCtx stat access \
	$(addprefix km_trace_,set_meta define_cache define_task define_site site_id sites stack_id add_gap append set_counts)
fuzz_program := $(patsubst %.c,$(BUILD)/obj/%.o,$(wildcard traces/fuzz/program/*.c))
$(BUILD)/kmlab-fuzz: $(fuzz_program) $(foreach f,$(fuzz_folders),$(call fuzz_of,$(f))) $(verbs) $(nouns)
	$(call say,LD,$@)
	$(Q)$(CC) $(ALL_CFLAGS) -fsanitize=fuzzer $(addprefix -Wl$(comma)--wrap=,$(fuzz_wrapped)) $^ $(PERF_LIBS) $(LDLIBS_BASE) $(LDLIBS) -ldl -o $@

fuzz fuzz-keep:
	$(Q)$(MAKE) --no-print-directory CC=$(CLANG) SAN=fuzzer-no-link,address,undefined $@-run

fuzz-run: $(BUILD)/kmlab-fuzz
	$(Q)mkdir -p $(CORPUS)/$(FUZZ) && for f in $(fuzz_folders); do tar -C $(CORPUS) -xJf $$f/fuzz/corpus.tar.xz || exit; done
	$(Q)KMLAB_FUZZ=$(FUZZ) $< -max_total_time=$(FUZZ_SECONDS) -max_len=65536 -rss_limit_mb=3000 -timeout=30 \
		$(addprefix -dict=,$(wildcard $(if $(filter lines perf ftrace,$(FUZZ)),traces/fuzz/text.dict,*/fuzz/$(FUZZ).dict))) -artifact_prefix=$(CORPUS)/ -print_final_stats=1 $(CORPUS)/$(FUZZ)

fuzz-keep-run: $(BUILD)/kmlab-fuzz
	$(Q)./.ci/fuzz-keep $< $(CORPUS) $(fuzz_folders)

# The store beside plain SQLite rows, and beside perf.data as root (which then records TRACE). TRACE=T.kmt EVENTS=n ROUNDS=n
$(BUILD)/bench/store: $(BUILD)/obj/traces/bench_store_main.o $(call archive,traces) $(call archive,engine)
	$(call say,LD,$@)
	$(Q)mkdir -p $(@D) && $(CC) $(ALL_CFLAGS) $^ $(LDLIBS_BASE) $(LDLIBS) -o $@

bench_trace = $(or $(TRACE),$$(ls $(BUILD)/bench/own.kmt 2>/dev/null || echo traces/samples/messages.kmt))
bench-store: $(BUILD)/bench/store bench-stat
	$(Q)$< $(bench_trace) $(or $(EVENTS),10000000) $(or $(ROUNDS),5)

# `stat` beside `perf kmem stat`, as root: recorded once, read ROUNDS times. LOAD="command" ROUNDS=n
bench-stat: all
	$(Q)mkdir -p $(BUILD)/bench && KMLAB_BUILD=$(BUILD) DIR=$(BUILD)/bench $(if $(LOAD),LOAD='$(LOAD)') \
		analysis/bench/beside_perf.sh $(or $(ROUNDS),7)

# Memory of what reads a long trace: TRACE repeated to EVENTS
bench-large: all
	$(Q)KMLAB=$(BUILD)/kmlab analysis/bench/large.sh $(bench_trace) $(EVENTS)

# Random operations on the page allocator under ASan and UBSan, validated now and then. OPS=n SEED=n
stress-pages:
	$(Q)$(MAKE) --no-print-directory SAN=address,undefined $(BUILD)/address-undefined/tests/engine/tests/t_stress_pages BUILD=$(BUILD)
	$(Q)$(BUILD)/address-undefined/tests/engine/tests/t_stress_pages $(or $(OPS),100000000) $(or $(SEED),1)

# Pages: the model beside user-space allocators, and by the machine's memory. ROUNDS=n PAGES=n
$(BUILD)/bench/pages: $(BUILD)/obj/replay/bench_pages_main.o $(call archive,replay) $(nouns)
	$(call say,LD,$@)
	$(Q)mkdir -p $(@D) && $(CC) $(ALL_CFLAGS) $^ $(PERF_LIBS) $(LDLIBS_BASE) $(LDLIBS) -ldl -o $@

bench-pages: $(BUILD)/bench/pages
	$(Q)$< $(or $(ROUNDS),15) $(or $(PAGES),262144)

# vmalloc in parts, beside kmalloc, and by the number of live areas. ROUNDS=n AREAS=n
$(BUILD)/bench/vmalloc: $(BUILD)/obj/replay/bench_vmalloc_main.o $(call archive,replay) $(nouns)
	$(call say,LD,$@)
	$(Q)mkdir -p $(@D) && $(CC) $(ALL_CFLAGS) $^ $(PERF_LIBS) $(LDLIBS_BASE) $(LDLIBS) -ldl -o $@

bench-vmalloc: $(BUILD)/bench/vmalloc
	$(Q)$< $(or $(ROUNDS),31) $(or $(AREAS),1000000)

# Objects: the slab models beside user-space allocators, over the samples. ROUNDS=n SAMPLES="T.kmt …"
$(BUILD)/bench/slab: $(BUILD)/obj/replay/bench_slab_main.o $(call archive,replay) $(nouns)
	$(call say,LD,$@)
	$(Q)mkdir -p $(@D) && $(CC) $(ALL_CFLAGS) $^ $(PERF_LIBS) $(LDLIBS_BASE) $(LDLIBS) -ldl -o $@

bench-slab: $(BUILD)/bench/slab
	$(Q)$< $(or $(ROUNDS),21) $(or $(SAMPLES),$(wildcard traces/samples/*.kmt))

# Recording (also with rings too small to wait for the end of the load) beside ftrace and perf, as root. ROUNDS=n RECORDER="build/kmlab-capture -e slab" LOAD="command" FORMAT=json
bench_objects := $(patsubst %.c,$(BUILD)/obj/%.o,$(wildcard capture/bench/*.c))
$(BUILD)/bench/capture: $(bench_objects) $(nouns)
	$(call say,LD,$@)
	$(Q)mkdir -p $(@D) && $(CC) $(ALL_CFLAGS) $^ $(LDLIBS_BASE) $(LDLIBS) -o $@

RECORDER ?= $(BUILD)/kmlab-capture -e slab
bench-capture: $(BUILD)/bench/capture all
	$(Q)$< $(if $(ROUNDS),--rounds=$(ROUNDS)) $(if $(LOAD),--load='$(LOAD)') $(if $(FORMAT),--format=$(FORMAT)) -- $(RECORDER)

# The TLB model: its speed, closed forms; then this machine measured and the model fitted to it, as root also in its kernel.
$(BUILD)/bench/tlb: $(BUILD)/obj/replay/bench_tlb_main.o $(call archive,replay) $(nouns)
	$(call say,LD,$@)
	$(Q)mkdir -p $(@D) && $(CC) $(ALL_CFLAGS) $^ $(PERF_LIBS) $(LDLIBS_BASE) $(LDLIBS) -o $@

bench-tlb: $(BUILD)/bench/tlb all
	$(Q)$<
	$(Q)$(BUILD)/kmlab tlb calibrate -q -o $(BUILD)/bench/tlb.calibration || test $$? = 1
	$(Q)$(BUILD)/kmlab tlb show -f csv -o $(BUILD)/bench/tlb.calibration >$(BUILD)/bench/tlb.csv || test $$? = 1
	$(Q)gnuplot -e "points='$(BUILD)/bench/tlb.csv'; output='$(BUILD)/bench/tlb.svg'; \
		caption='$(BUILD)/bench/tlb.calibration'" replay/bench_tlb.gp && echo $(BUILD)/bench/tlb.svg

bench: bench-store bench-large bench-pages bench-vmalloc bench-slab bench-capture bench-tlb

# Real kernels execute the recorded programs and new ones anew; the models must answer the same.
ORACLE_SEED ?= 1
ORACLE_CALLS ?= 10000
oracle: all
	$(Q)mkdir -p $(BUILD)/oracle
	$(Q)for kernel in 6.1 6.12 7.2; do for kind in plenty pressure slab caches kmalloc vm; do \
		./engine/oracle/oracle random $$kind $(ORACLE_SEED) $(ORACLE_CALLS) $$kernel \
			>$(BUILD)/oracle/$$kind-$$kernel-$(ORACLE_SEED).kms; done; done
	$(Q)./engine/oracle/oracle compare $(BUILD)/kmlab $(BUILD)/oracle engine/oracle/*.kms.xz \
		$(BUILD)/oracle/*-$(ORACLE_SEED).kms

demo: build-all
	$(Q)KMLAB=$(abspath $(BUILD)/kmlab) ./analysis/demo.sh

# kmalloc against vmalloc, a report for each bundled sample: results/samples/NAME/index.html
report-samples: all
	$(Q)mkdir -p results/samples && for sample in traces/samples/*.kmt; do name=$$(basename $$sample .kmt); \
		$(BUILD)/kmlab replay -q $$sample --model kernel,slub,vmalloc,vmalloc_huge,kvmalloc:4096 --touch --reps 3 \
			-o results/samples/$$name.kmr >/dev/null && \
		$(BUILD)/kmlab report results/samples/$$name.kmr -o results/samples/$$name || exit 1; done

install: all
	$(Q)install -d $(DESTDIR)$(bindir) $(DESTDIR)$(libexecdir) $(DESTDIR)$(datadir)/samples
	$(Q)install -m 755 $(BUILD)/kmlab $(DESTDIR)$(bindir)/kmlab
	$(Q)install -m 755 $(filter-out $(BUILD)/kmlab,$(programs)) $(DESTDIR)$(libexecdir)/
	$(Q)$(if $(filter %/kmlab-capture,$(programs)),install -d $(DESTDIR)$(unitdir) && \
		sed 's|@libexecdir@|$(libexecdir)|' capture/kmlab-capture.service | \
		install -m 644 /dev/stdin $(DESTDIR)$(unitdir)/kmlab-capture.service)
	$(Q)install -m 644 $(wildcard traces/samples/*.kmt) $(DESTDIR)$(datadir)/samples/
	$(Q)cd engine && find kernel-api include/kmlab/module_abi.h -type f ! -path '*/examples/*' \
		-exec install -D -m 644 {} $(DESTDIR)$(datadir)/{} \;

clean:
	$(Q)rm -rf $(BUILD)

-include $(shell find $(BUILD)/obj $(BUILD)/ext -name '*.d' 2>/dev/null)
.PHONY: all tests fuzz fuzz-run fuzz-keep fuzz-keep-run bench bench-store bench-tlb bench-stat bench-large bench-pages stress-pages bench-vmalloc bench-slab bench-capture prove prove-all deps lint build-all check oracle demo report-samples install clean libperf
