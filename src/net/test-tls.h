#pragma once
/* Certificates made for a test, in a folder of their own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <errno.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "net/tls-internal.h"

typedef struct Authority {
        X509 *certificate;
        EVP_PKEY *key;
} Authority;

typedef struct CertificateSpec {
        const char *cn;
        const char *hosts; /* as OpenSSL writes it: "DNS:a,IP:1.2.3.4"; NULL: none */
        const char *usage; /* of extendedKeyUsage; NULL: both */
        long from, until;  /* seconds from now; until 0: a day */
        bool is_authority;
} CertificateSpec;

typedef struct Certificates {
        char folder[64];
        StringList paths; /* that were asked for */
        Authority ca, other_ca;
} Certificates;

/* "FOLDER/name", valid as long as all of it. */
static const char *certificates_path(Certificates *all, const char *name) {
        char *path = str_printf("%s/%s", all->folder, name);

        assert_int_equal(string_list_take(&all->paths, path), 0);
        return path;
}

static void certificate_extend(X509 *certificate, int nid, const char *value) {
        X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, nid, value);

        assert_non_null(extension);
        assert_int_equal(X509_add_ext(certificate, extension, -1), 1);
        X509_EXTENSION_free(extension);
}

/* `by` NULL: signs itself. The caller frees both. */
static void certificate_make(const Authority *by, const CertificateSpec *spec, X509 **ret, EVP_PKEY **ret_key) {
        static long serial = 1;
        X509 *certificate = X509_new();
        EVP_PKEY *key = EVP_EC_gen("P-256");
        X509_NAME *name = X509_get_subject_name(certificate);

        assert_non_null(key);
        (void)X509_set_version(certificate, X509_VERSION_3);
        (void)ASN1_INTEGER_set(X509_get_serialNumber(certificate), ++serial);
        (void)X509_gmtime_adj(X509_getm_notBefore(certificate), spec->from ?: -60);
        (void)X509_gmtime_adj(X509_getm_notAfter(certificate), spec->until ?: 24L * 3600);
        (void)X509_set_pubkey(certificate, key);
        (void)X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, (const unsigned char *)spec->cn, -1, -1, 0);
        (void)X509_set_issuer_name(certificate, by ? X509_get_subject_name(by->certificate) : name);
        certificate_extend(certificate, NID_basic_constraints, spec->is_authority ? "critical,CA:TRUE" : "CA:FALSE");
        if (!spec->is_authority)
                certificate_extend(certificate, NID_ext_key_usage, spec->usage ?: "serverAuth,clientAuth");
        if (spec->hosts)
                certificate_extend(certificate, NID_subject_alt_name, spec->hosts);
        assert_true(X509_sign(certificate, by ? by->key : key, EVP_sha256()) > 0);
        *ret = certificate;
        *ret_key = key;
}

static void pem_write(const char *path, X509 *certificate, EVP_PKEY *key) {
        FILE *file = fopen(path, "we");

        assert_non_null(file);
        assert_int_equal(certificate ? PEM_write_X509(file, certificate)
                                     : PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL),
                         1);
        assert_int_equal(fclose(file), 0);
}

/* FOLDER/NAME.pem and FOLDER/NAME-key.pem. */
static void certificates_add(Certificates *all, const char *name, const Authority *by, CertificateSpec spec) {
        char file[64];
        EVP_PKEY *key;
        X509 *certificate;

        certificate_make(by, &spec, &certificate, &key);
        (void)snprintf(file, sizeof(file), "%s.pem", name);
        pem_write(certificates_path(all, file), certificate, NULL);
        (void)snprintf(file, sizeof(file), "%s-key.pem", name);
        pem_write(certificates_path(all, file), NULL, key);
        X509_free(certificate);
        EVP_PKEY_free(key);
}

/* ca.pem, other-ca.pem, server(-key).pem for localhost and 127.0.0.1, and client(-key).pem of CN alice. */
static void certificates_init(Certificates *all) {
        *all = (Certificates){.folder = "/tmp/test-tls-XXXXXX"};
        assert_non_null(mkdtemp(all->folder));
        certificate_make(NULL, &(CertificateSpec){.cn = "test authority", .is_authority = true}, &all->ca.certificate,
                         &all->ca.key);
        certificate_make(NULL, &(CertificateSpec){.cn = "other authority", .is_authority = true},
                         &all->other_ca.certificate, &all->other_ca.key);
        pem_write(certificates_path(all, "ca.pem"), all->ca.certificate, NULL);
        pem_write(certificates_path(all, "other-ca.pem"), all->other_ca.certificate, NULL);
        certificates_add(all, "server", &all->ca,
                         (CertificateSpec){.cn = "server", .hosts = "DNS:localhost,IP:127.0.0.1"});
        certificates_add(all, "client", &all->ca, (CertificateSpec){.cn = "alice", .hosts = "DNS:alice.example.com"});
}

static void certificates_deinit(Certificates *all) {
        _cleanup_free_ char *command = str_printf("rm -rf '%s'", all->folder);

        X509_free(all->ca.certificate);
        EVP_PKEY_free(all->ca.key);
        X509_free(all->other_ca.certificate);
        EVP_PKEY_free(all->other_ca.key);
        assert_int_equal(system(command), 0);
        string_list_deinit(&all->paths);
}
