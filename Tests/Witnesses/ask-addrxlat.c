/*
 * Asks libaddrxlat where virtual addresses lead; libkdumpfile reads the image.
 *
 *   ask-addrxlat IMAGE ROOT FORMAT FIELDS < ADDRESSES
 *
 * ROOT is physical, FORMAT one of libaddrxlat's names (x86_64, ia32, ia32_pae), FIELDS the bits of each
 * level from the page up (12,9,9,9,9). Prints ADDRESS PHYSICAL a line, `-` where nothing is mapped, `?`
 * where the image lacks a table.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libkdumpfile/addrxlat.h>
#include <libkdumpfile/kdumpfile.h>

static kdump_ctx_t *dump;

#define PAGE ((size_t)4096)

static unsigned long read_caps(const addrxlat_cb_t *cb)
{
	(void)cb;
	return ADDRXLAT_CAPS(ADDRXLAT_MACHPHYSADDR);
}

static void put_page(const addrxlat_buffer_t *buffer)
{
	free(buffer->priv);
}

static addrxlat_status get_page(const addrxlat_cb_t *cb, addrxlat_buffer_t *buffer)
{
	size_t size = PAGE;

	(void)cb;
	/* The library keeps several pages at a time. */
	buffer->priv = malloc(PAGE);
	buffer->addr.addr &= ~(addrxlat_addr_t)(PAGE - 1);
	if (!buffer->priv ||
	    kdump_read(dump, KDUMP_MACHPHYSADDR, buffer->addr.addr, buffer->priv, &size) != KDUMP_OK) {
		free(buffer->priv);
		return ADDRXLAT_ERR_NODATA;
	}
	buffer->ptr = buffer->priv;
	buffer->size = PAGE;
	buffer->byte_order = ADDRXLAT_LITTLE_ENDIAN;
	buffer->put_page = put_page;
	return ADDRXLAT_OK;
}

static int fail(const char *what)
{
	fprintf(stderr, "ask-addrxlat: %s\n", what);
	return 1;
}

int main(int argc, char **argv)
{
	addrxlat_ctx_t *context = addrxlat_ctx_new();
	addrxlat_cb_t *callbacks;
	addrxlat_meth_t method;
	addrxlat_paging_form_t *form = &method.param.pgt.pf;
	char line[64], *field;
	int file;

	if (argc != 5)
		return fail("usage: ask-addrxlat IMAGE ROOT FORMAT FIELDS");
	file = open(argv[1], O_RDONLY);
	dump = kdump_new();
	if (file < 0 || !dump || kdump_open_fd(dump, file) != KDUMP_OK)
		return fail(dump ? kdump_get_err(dump) : "no memory");
	memset(&method, 0, sizeof method);
	method.kind = ADDRXLAT_PGT;
	method.target_as = ADDRXLAT_MACHPHYSADDR;
	method.param.pgt.root.as = ADDRXLAT_MACHPHYSADDR;
	method.param.pgt.root.addr = strtoull(argv[2], NULL, 0);
	form->pte_format = addrxlat_pte_format(argv[3]);
	for (field = strtok(argv[4], ","); field; field = strtok(NULL, ","))
		form->fieldsz[form->nfields++] = atoi(field);
	callbacks = addrxlat_ctx_add_cb(context);
	callbacks->get_page = get_page;
	callbacks->read_caps = read_caps;

	while (fgets(line, sizeof line, stdin)) {
		addrxlat_step_t step = { .ctx = context, .meth = &method };
		addrxlat_addr_t address = strtoull(line, NULL, 16);
		addrxlat_status status = addrxlat_launch(&step, address);

		while (status == ADDRXLAT_OK && step.remain)
			status = addrxlat_step(&step);
		printf("0x%llx ", (unsigned long long)address);
		if (status == ADDRXLAT_OK)
			printf("0x%llx\n", (unsigned long long)step.base.addr);
		else
			puts(status == ADDRXLAT_ERR_NODATA ? "?" : "-");
		addrxlat_ctx_clear_err(context);
	}
	return 0;
}
