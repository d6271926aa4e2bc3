/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * From figures to files, by running gnuplot (5.4). gnuplot leaves a half-drawn file when a script
 * fails, so it draws to a temporary name that is renamed only when it succeeded.
 */
#include "plot.h"

#include "plots.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- files ---- */

int km_make_directory(const char *directory, struct km_err *err)
{
	char *path = strdup(directory);
	int code = path && *path ? 0 : -EINVAL;

	for (char *at = path; !code && at; at = at ? strchr(at + 1, '/') : NULL) {
		if (at == path)
			continue;
		*at = '\0';
		if (mkdir(path, 0777) && errno != EEXIST)
			code = -errno;
		*at = '/';
	}
	if (!code && mkdir(path, 0777) && errno != EEXIST)
		code = -errno;
	free(path);
	if (!code && access(directory, W_OK | X_OK))
		code = -errno;
	if (code)
		return km_fail(err, code,
			       "the output directory %s cannot be written (%s); choose another "
			       "with -o",
			       directory, strerror(-code));
	return 0;
}

int km_write_file(const char *directory, const char *name, const char *text, size_t bytes,
		  struct km_err *err)
{
	char *path = NULL, *temporary = NULL;
	FILE *file = NULL;
	int code = 0;

	if (asprintf(&path, "%s/%s", directory, name) < 0)
		path = NULL;
	if (asprintf(&temporary, "%s/.%s.tmp", directory, name) < 0)
		temporary = NULL;
	if (!path || !temporary) {
		code = -ENOMEM;
		goto out;
	}
	file = fopen(temporary, "w");
	if (!file) {
		code = -errno;
		goto out;
	}
	errno = 0;
	if (fwrite(text, 1, bytes, file) != bytes)
		code = errno ? -errno : -EIO;
	if (fclose(file) && !code)
		code = -errno;
	if (!code && rename(temporary, path))
		code = -errno;
	if (code)
		unlink(temporary);
out:
	if (code)
		km_fail(err, code, "%s/%s cannot be written (%s); check space and permissions",
			directory, name, strerror(-code));
	free(path);
	free(temporary);
	return code;
}

char *km_read_file(const char *directory, const char *name)
{
	char *path = NULL, *text = NULL;
	size_t length = 0;
	FILE *file, *memory;
	int byte;

	if (asprintf(&path, "%s/%s", directory, name) < 0)
		return NULL;
	file = fopen(path, "r");
	free(path);
	if (!file)
		return NULL;
	memory = open_memstream(&text, &length);
	while (memory && (byte = fgetc(file)) != EOF)
		fputc(byte, memory);
	fclose(file);
	if (memory && fclose(memory)) {
		free(text);
		text = NULL;
	}
	return text;
}

/* ---- the data and the script ---- */

static void print_value(FILE *out, double value, char before)
{
	if (isnan(value))
		fprintf(out, "%cNaN", before);
	else
		fprintf(out, "%c%.9g", before, value);
}

static void print_data(const struct km_figure *figure, FILE *out)
{
	fprintf(out, "# %s. One block per curve; NaN = not measured.\n", figure->title);
	for (size_t i = 0; i < figure->curve_count; i++) {
		const struct km_curve *curve = &figure->curves[i];

		fprintf(out, "%s# %s: %s\n# %s\tvalue%s\n", i ? "\n\n" : "",
			figure->panel_titles[curve->panel], curve->label, figure->x_title,
			curve->low ? "\tfrom\tto" : "");
		for (size_t k = 0; k < curve->count; k++) {
			fprintf(out, "%.9g", curve->x[k]);
			print_value(out, curve->y[k], '\t');
			if (curve->low) {
				print_value(out, curve->low[k], '\t');
				print_value(out, curve->high[k], '\t');
			}
			fputc('\n', out);
		}
	}
}

/* 'text' as gnuplot reads it: a quote is doubled, nothing else is special. */
static void print_quoted(FILE *out, const char *text)
{
	fputc('\'', out);
	for (; *text; text++) {
		if (*text == '\'')
			fputc('\'', out);
		fputc((unsigned char)*text < 0x20 ? ' ' : *text, out);
	}
	fputc('\'', out);
}

/* first[p] and last[p]: the curves of panel p, counted from 1. An empty panel has last < first. */
static void print_panels(const struct km_figure *figure, FILE *out)
{
	fprintf(out, "panels = %u\narray panel_title[%u]\narray first[%u]\narray last[%u]\n",
		figure->panels, figure->panels, figure->panels, figure->panels);
	for (unsigned panel = 0; panel < figure->panels; panel++) {
		size_t first = 0, last = 0;

		for (size_t i = 0; i < figure->curve_count; i++) {
			if (figure->curves[i].panel != panel)
				continue;
			first = first ? first : i + 1;
			last = i + 1;
		}
		fprintf(out, "panel_title[%u] = ", panel + 1);
		print_quoted(out, figure->panel_titles[panel]);
		fprintf(out, "; first[%u] = %zu; last[%u] = %zu\n", panel + 1, first ? first : 1,
			panel + 1, last);
	}
}

static void print_script(const struct km_figure *figure, FILE *out)
{
	fprintf(out,
		"# %s. Change what you like, then: gnuplot %s.gp\n"
		"if (!exists(\"output\")) output = '%s.svg'\n"
		"data = '%s.dat'\n",
		figure->title, figure->file, figure->file, figure->file);
	fputs("title = ", out);
	print_quoted(out, figure->title);
	fputs("\ncaption = ", out);
	print_quoted(out, figure->caption);
	fputs("\nstamp = ", out);
	print_quoted(out, figure->stamp);
	fprintf(out, "\nlog_y = %d\ny_from = %.9g\n", figure->log_y, figure->y_from);
	print_panels(figure, out);
	fprintf(out, "rows = %u\narray row[%u]\n", figure->row_count, figure->row_count + 1);
	for (unsigned i = 0; i < figure->row_count; i++) {
		fprintf(out, "row[%u] = ", i + 1);
		print_quoted(out, figure->rows[i].text);
		/* Between double quotes, because a line ends in it. */
		if (figure->rows[i].note[0])
			fprintf(out, ".\"\\n%s\"", figure->rows[i].note);
		fputc('\n', out);
	}
	fprintf(out, "array label[%zu]; array sampled[%zu]; array ranged[%zu]\n",
		figure->curve_count, figure->curve_count, figure->curve_count);
	for (size_t i = 0; i < figure->curve_count; i++) {
		const struct km_curve *curve = &figure->curves[i];

		fprintf(out, "label[%zu] = ", i + 1);
		print_quoted(out, curve->label);
		fprintf(out, "; sampled[%zu] = %d; ranged[%zu] = %d", i + 1, curve->sampled, i + 1,
			curve->low != NULL);
		fprintf(out, "; set linetype %zu lc rgb '%s' dt %u lw %.1f\n", i + 1,
			curve->style.colour, curve->style.dash, curve->style.width);
	}
	fprintf(out, "\n%s\n%s", km_plot_style, figure->template);
}

static int write_printed(const struct km_figure *figure, const char *directory, const char *suffix,
			 void (*print)(const struct km_figure *, FILE *), struct km_err *err)
{
	char name[80], *text = NULL;
	size_t length = 0;
	FILE *out = open_memstream(&text, &length);
	int code;

	if (!out)
		return km_fail(err, -ENOMEM, "no memory to write the figure %s", figure->file);
	print(figure, out);
	if (fclose(out)) {
		free(text);
		return km_fail(err, -ENOMEM, "no memory to write the figure %s", figure->file);
	}
	snprintf(name, sizeof(name), "%s.%s", figure->file, suffix);
	code = km_write_file(directory, name, text, length, err);
	free(text);
	return code;
}

/* ---- gnuplot ---- */

bool km_plot_possible(void)
{
	const char *path = getenv("PATH");
	char program[4096];

	while (path && *path) {
		size_t length = strcspn(path, ":");

		snprintf(program, sizeof(program), "%.*s/gnuplot", (int)length, path);
		if (!access(program, X_OK))
			return true;
		path += length + (path[length] == ':');
	}
	return false;
}

/* In the child: nothing of this program's output may be touched. */
static void exec_gnuplot(const char *directory, const char *output, const char *script, int errors)
{
	char setting[160];
	int null = open("/dev/null", O_RDWR);

	snprintf(setting, sizeof(setting), "output='%s'", output);
	if (chdir(directory) || null < 0)
		_exit(126);
	dup2(null, STDIN_FILENO);
	dup2(null, STDOUT_FILENO);
	dup2(errors, STDERR_FILENO);
	setenv("LC_ALL", "C.UTF-8", 1);
	execlp("gnuplot", "gnuplot", "-d", "-e", setting, script, (char *)NULL);
	_exit(127);
}

/* The line of gnuplot's complaint that says what is wrong. */
static void complaint(int errors, char *line, size_t size)
{
	char text[2048];
	ssize_t length = pread(errors, text, sizeof(text) - 1, 0);
	char *at;

	text[length > 0 ? length : 0] = '\0';
	at = strstr(text, "line ");
	snprintf(line, size, "%.200s", at ? at : *text ? text : "it gave no reason");
	line[strcspn(line, "\n")] = '\0';
}

static int run_gnuplot(const struct km_figure *figure, const char *directory, struct km_err *err)
{
	char script[80], output[96], line[256];
	FILE *errors = tmpfile();
	int status = 0, code = 0;
	pid_t child;

	if (!errors)
		return km_fail(err, -errno, "no temporary file can be made for gnuplot's messages");
	snprintf(script, sizeof(script), "%s.gp", figure->file);
	snprintf(output, sizeof(output), ".%s.svg.tmp", figure->file);
	child = fork();
	if (!child)
		exec_gnuplot(directory, output, script, fileno(errors));
	if (child < 0 || waitpid(child, &status, 0) != child) {
		code = km_fail(err, -EIO, "gnuplot cannot be run (%s)", strerror(errno));
	} else if (!WIFEXITED(status) || WEXITSTATUS(status)) {
		complaint(fileno(errors), line, sizeof(line));
		code = km_fail(err, -EIO,
			       "gnuplot could not draw %s/%s (%s); is it version 5.4 or newer?",
			       directory, script, line);
	}
	fclose(errors);
	return code;
}

/* gnuplot does not notice a full disk: a whole picture ends with its closing tag. */
static bool is_whole_svg(const char *path)
{
	static const char closing[] = "</svg>";
	char tail[16] = "";
	FILE *file = fopen(path, "r");
	bool whole = false;

	if (!file)
		return false;
	if (!fseek(file, -(long)(sizeof(tail) - 1), SEEK_END) &&
	    fread(tail, 1, sizeof(tail) - 1, file) > 0)
		whole = strstr(tail, closing) != NULL;
	fclose(file);
	return whole;
}

int km_plot_figure(struct km_figure *figure, const char *directory, struct km_err *err)
{
	char *from = NULL, *to = NULL;
	int code = write_printed(figure, directory, "dat", print_data, err);

	if (!code)
		code = write_printed(figure, directory, "gp", print_script, err);
	if (code || !km_plot_possible())
		return code;
	if (asprintf(&from, "%s/.%s.svg.tmp", directory, figure->file) < 0)
		from = NULL;
	if (asprintf(&to, "%s/%s.svg", directory, figure->file) < 0)
		to = NULL;
	code = from && to ? run_gnuplot(figure, directory, err) : -ENOMEM;
	if (!code && !is_whole_svg(from))
		code = km_fail(err, -ENOSPC,
			       "%s could not be written whole; is there space left on the device?",
			       to);
	if (!code && rename(from, to))
		code = km_fail(err, -errno, "%s cannot be written (%s)", to, strerror(errno));
	if (code && from)
		unlink(from);
	figure->drawn = !code;
	free(from);
	free(to);
	return code;
}
