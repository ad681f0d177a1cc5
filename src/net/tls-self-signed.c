/* A certificate that vouches for itself: it keeps listeners out, and nobody is sure whom he speaks to. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <sys/stat.h>

#include "net/tls-internal.h"

#define VALID_SECONDS (10L * 365 * 24 * 3600)

static int add_extension(X509 *certificate, int nid, const char *value) {
        X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, nid, value);
        int r = extension && X509_add_ext(certificate, extension, -1) == 1 ? 0 : -EINVAL;

        X509_EXTENSION_free(extension);
        return r;
}

static int add_hosts(X509 *certificate, const StringList *hosts) {
        _cleanup_buffer_ Buffer value = BUFFER_INIT;
        unsigned char address[16];

        for (size_t i = 0; i < hosts->length; i++) {
                const char *host = hosts->items[i];
                bool is_address = inet_pton(AF_INET, host, address) == 1 || inet_pton(AF_INET6, host, address) == 1;

                (void)buffer_printf(&value, "%s%s:%s", i > 0 ? "," : "", is_address ? "IP" : "DNS", host);
        }
        return buffer_string(&value) ? add_extension(certificate, NID_subject_alt_name, buffer_string(&value))
                                     : -ENOMEM;
}

static int fill_certificate(X509 *certificate, EVP_PKEY *key, const StringList *hosts) {
        X509_NAME *name = X509_get_subject_name(certificate);
        unsigned char serial[8];
        uint64_t number;
        int r;

        if (RAND_bytes(serial, sizeof(serial)) != 1)
                return -EIO;
        memcpy(&number, serial, sizeof(number));
        if (X509_set_version(certificate, X509_VERSION_3) != 1 ||
            ASN1_INTEGER_set_uint64(X509_get_serialNumber(certificate), number >> 1) != 1 ||
            !X509_gmtime_adj(X509_getm_notBefore(certificate), -60) ||
            !X509_gmtime_adj(X509_getm_notAfter(certificate), VALID_SECONDS) ||
            X509_set_pubkey(certificate, key) != 1 ||
            X509_NAME_add_entry_by_txt(name, "O", MBSTRING_UTF8, (const unsigned char *)"faering", -1, -1, 0) != 1 ||
            X509_set_issuer_name(certificate, name) != 1)
                return -ENOMEM;
        r = add_extension(certificate, NID_key_usage, "critical,digitalSignature");
        if (r >= 0)
                r = add_extension(certificate, NID_ext_key_usage, "serverAuth,clientAuth");
        if (r >= 0)
                r = add_hosts(certificate, hosts);
        if (r >= 0 && X509_sign(certificate, key, EVP_sha256()) == 0)
                r = -EINVAL;
        return r;
}

static int write_pem(const char *path, X509 *certificate, EVP_PKEY *key, Error *error) {
        int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        FILE *file = fd >= 0 ? fdopen(fd, "w") : NULL;
        bool whole;

        if (!file)
                return error_set_errno(error, -errno, "cannot write %s", path);
        whole = certificate ? PEM_write_X509(file, certificate) == 1
                            : PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL) == 1;
        if (fclose(file) != 0 || !whole)
                return error_set_errno(error, errno ? -errno : -EIO, "cannot write %s", path);
        return 0;
}

/* Each folder on the way. */
static int make_folders(char *path, Error *error) {
        for (char *slash = strchr(path + 1, '/');; slash = strchr(slash + 1, '/')) {
                if (slash)
                        *slash = '\0';
                if (mkdir(path, 0700) < 0 && errno != EEXIST)
                        return error_set_errno(error, -errno, "cannot make the folder %s", path);
                if (!slash)
                        return 0;
                *slash = '/';
        }
}

int tls_make_self_signed(const char *directory, const StringList *hosts, Error *error) {
        _cleanup_free_ char *folders = strdup(directory), *cert_path = str_printf("%s/cert.pem", directory),
                            *key_path = str_printf("%s/key.pem", directory);
        _cleanup_(EVP_PKEY_freep) EVP_PKEY *key = NULL;
        _cleanup_(X509_freep) X509 *certificate = NULL;
        int r;

        if (!folders || !cert_path || !key_path)
                return error_set(error, -ENOMEM, "no memory for a certificate");
        if (access(cert_path, F_OK) == 0 && access(key_path, F_OK) == 0)
                return 0;
        r = make_folders(folders, error);
        if (r < 0)
                return r;
        key = EVP_EC_gen("P-256");
        certificate = X509_new();
        r = key && certificate ? fill_certificate(certificate, key, hosts) : -ENOMEM;
        if (r < 0)
                return error_set(error, r, "cannot make a certificate for %s: %s",
                                 hosts->length ? hosts->items[0] : "no host", tls_text_reason());
        r = write_pem(key_path, NULL, key, error);
        return r < 0 ? r : write_pem(cert_path, certificate, NULL, error);
}
