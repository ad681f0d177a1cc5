#pragma once
/*
 * What a datasource knows of its machine besides the user-data, and the documents that say it. A document that is not
 * what it should be is -EINVAL with `error`; what it leaves out is not known. Pure.
 */
#include "boot/config/user-data.h"

#define METADATA_DOCUMENT_MAX ((size_t)1024 * 1024)
#define METADATA_KEYS_MAX ((size_t)1000)

typedef struct Metadata {
        char *hostname; /* NULL: not known */
        StringList keys;
        Addresses addresses;
        Buffer network; /* the network's configuration, as it came: see -convert-netconf */
        bool has_network;
        char *content_path; /* OpenStack: where `network` is to be fetched from; NULL: nowhere */
} Metadata;

void metadata_deinit(Metadata *metadata);
#define _cleanup_metadata_ _cleanup_(metadata_deinit)

/* OpenStack's meta_data.json, of a config drive or of the service. */
int metadata_parse_openstack(Slice text, Metadata *metadata, Error *error);
int metadata_parse_digitalocean(Slice text, Metadata *metadata, Error *error);
int metadata_parse_packet(Slice text, Metadata *metadata, Error *error);

/* Azure's SharedConfig.xml. */
int metadata_parse_waagent(Slice text, Metadata *metadata, Error *error);

#define CLOUDSIGMA_CONTEXT_MAX ((size_t)4 * 1024 * 1024)

/* Appends the address of the network card with that hardware address; nothing when it has none. */
typedef int (*AddressOfCard)(Slice mac, Buffer *to);

/* CloudSigma's server context; the second appends the user-data that is in it. */
int metadata_parse_cloudsigma(Slice context, AddressOfCard find, Metadata *metadata, Error *error);
int cloudsigma_user_data(Slice context, Buffer *to, Error *error);

/* Sets an address. One that is none is -EINVAL. */
int metadata_set_address(Metadata *metadata, Address address, Slice value, Error *error);

/* The same, but one that is none is as if it were not there. -ENOMEM. */
int metadata_take_address(Metadata *metadata, Address address, Slice value);

/* A host name; a blank and what is behind it do not count. One with a NUL is as if it were not there. */
int metadata_set_hostname(Metadata *metadata, Slice value);

/* -EMSGSIZE: too many. */
int metadata_add_key(Metadata *metadata, Slice key, Error *error);

/* The value of cloud-config-url (or cloud_config_url) on a kernel's command line, the last one that has one; data NULL:
 * there is none. */
Slice cmdline_find_url(Slice cmdline);

/* ---- VMware ---- */

/* Reads a value of "guestinfo."; absent is "". */
typedef int (*GuestInfo)(void *userdata, const char *key, Buffer *to, Error *error);

/* The properties of an OVF environment document, as "key=value"; names keep their "guestinfo.". */
int ovf_parse_properties(Slice text, StringList *properties, Error *error);

/* A GuestInfo over such a list. */
int ovf_read(void *properties, const char *key, Buffer *to, Error *error);

/* Host name, addresses by role, and for the network "key=value" lines. */
int metadata_read_vmware(GuestInfo read, void *userdata, Metadata *metadata, Error *error);
