/* A GM/T 0018 device for tests: computes with libcrypto, keeps nothing, fails when told to.
 *
 * Told by the environment through mock_*: mock_fail(function, rv, times), mock_unplug(), mock_plug(), mock_sessions().
 * Three SM2 key pairs (index 1 to 3) and one key-encryption key (index 1) are made from fixed numbers.
 */
#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define BASE 0x01000000
#define OPENDEVICE (BASE + 5)
#define OPENSESSION (BASE + 6)
#define PARDENY (BASE + 7)
#define NOKEY (BASE + 8)
#define NOMODE (BASE + 10)
#define COMMFAIL (BASE + 3)

typedef struct { unsigned int bits; unsigned char x[64]; unsigned char y[64]; } PublicKey;
typedef struct { unsigned char r[64]; unsigned char s[64]; } Signature;
typedef struct { unsigned int alive; unsigned int epoch; unsigned int rights; } Session;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int plugged = 1, device_open, open_sessions;
static unsigned int epoch = 1;
static const char *failing;
static unsigned int failing_rv, failing_times;
static const unsigned char kek[16] = "key of the mock";
static int device;

void mock_fail(const char *name, unsigned int rv, unsigned int times) { free((void *)failing); failing = strdup(name); failing_rv = rv; failing_times = times; }
void mock_unplug(void) { plugged = 0; device_open = 0; open_sessions = 0; epoch++; }
void mock_plug(void) { plugged = 1; }
int mock_sessions(void) { return open_sessions; }

static unsigned int told(const char *name) {
  unsigned int rv = 0;
  pthread_mutex_lock(&lock);
  if (failing && failing_times && !strcmp(failing, name)) { failing_times--; rv = failing_rv; }
  pthread_mutex_unlock(&lock);
  return rv;
}
#define ENTER do { unsigned int rv = told(__func__); if (rv) return rv; if (!plugged) return COMMFAIL; } while (0)
#define SESSION Session *s = session; if (!s || !s->alive || s->epoch != epoch) return OPENSESSION

static EC_GROUP *group(void) { return EC_GROUP_new_by_curve_name(NID_sm2); }
static BIGNUM *private_of(unsigned int index) {
  unsigned char d[32];
  memset(d, (int)(0x11 * index), 32);
  return BN_bin2bn(d, 32, NULL);
}

unsigned int SDF_OpenDevice(void **out) { ENTER; device_open = 1; *out = &device; return 0; }
unsigned int SDF_CloseDevice(void *d) { (void)d; device_open = 0; return 0; }
unsigned int SDF_OpenSession(void *d, void **out) {
  (void)d; ENTER;
  if (!device_open) return OPENDEVICE;
  Session *s = calloc(1, sizeof *s);
  s->alive = 1; s->epoch = epoch;
  pthread_mutex_lock(&lock); open_sessions++; pthread_mutex_unlock(&lock);
  *out = s;
  return 0;
}
unsigned int SDF_CloseSession(void *session) { SESSION; s->alive = 0; pthread_mutex_lock(&lock); open_sessions--; pthread_mutex_unlock(&lock); return 0; }
unsigned int SDF_GetPrivateKeyAccessRight(void *session, unsigned int index, const unsigned char *p, unsigned int n) {
  ENTER; SESSION;
  if (n != 8 || memcmp(p, "sdf-test", 8)) return PARDENY;
  s->rights |= 1u << index;
  return 0;
}
unsigned int SDF_GenerateRandom(void *session, unsigned int n, unsigned char *out) { ENTER; SESSION; RAND_bytes(out, (int)n); return 0; }
unsigned int SDF_ExportSignPublicKey_ECC(void *session, unsigned int index, PublicKey *out) {
  ENTER; SESSION;
  if (index < 1 || index > 3) return NOKEY;
  EC_GROUP *g = group(); EC_POINT *p = EC_POINT_new(g);
  BIGNUM *d = private_of(index), *x = BN_new(), *y = BN_new();
  EC_POINT_mul(g, p, d, NULL, NULL, NULL);
  EC_POINT_get_affine_coordinates(g, p, x, y, NULL);
  memset(out, 0, sizeof *out);
  out->bits = 256;
  BN_bn2binpad(x, out->x, 64); BN_bn2binpad(y, out->y, 64);
  BN_free(d); BN_free(x); BN_free(y); EC_POINT_free(p); EC_GROUP_free(g);
  return 0;
}
/* r = e + x1, s = (k - r d) / (1 + d) modulo n (GB/T 32918.2, 6.1). */
unsigned int SDF_InternalSign_ECC(void *session, unsigned int index, const unsigned char *e, unsigned int n, Signature *out) {
  ENTER; SESSION;
  if (index < 1 || index > 3 || n != 32) return NOKEY;
  if (!(s->rights & (1u << index))) return PARDENY;
  EC_GROUP *g = group(); BN_CTX *c = BN_CTX_new(); EC_POINT *p = EC_POINT_new(g);
  const BIGNUM *order = EC_GROUP_get0_order(g);
  BIGNUM *d = private_of(index), *k = BN_new(), *x = BN_new(), *r = BN_new(), *z = BN_bin2bn(e, 32, NULL), *t = BN_new();
  BN_priv_rand_range(k, order);
  EC_POINT_mul(g, p, k, NULL, NULL, c);
  EC_POINT_get_affine_coordinates(g, p, x, NULL, c);
  BN_mod_add(r, z, x, order, c);
  BN_mod_mul(t, r, d, order, c);
  BN_mod_sub(t, k, t, order, c);
  BN_add_word(d, 1);
  BN_mod_inverse(d, d, order, c);
  BN_mod_mul(t, t, d, order, c);
  memset(out, 0, sizeof *out);
  BN_bn2binpad(r, out->r, 64); BN_bn2binpad(t, out->s, 64);
  BN_free(d); BN_free(k); BN_free(x); BN_free(r); BN_free(z); BN_free(t); EC_POINT_free(p); EC_GROUP_free(g); BN_CTX_free(c);
  return 0;
}

static int sm4(const EVP_CIPHER *mode, const unsigned char *key, const unsigned char *iv, const unsigned char *in, unsigned int n, unsigned char *out, int encrypting) {
  EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
  int size = 0;
  EVP_CipherInit_ex(c, mode, NULL, key, iv, encrypting);
  EVP_CIPHER_CTX_set_padding(c, 0);
  int fine = EVP_CipherUpdate(c, out, &size, in, (int)n) && size == (int)n;
  EVP_CIPHER_CTX_free(c);
  return fine;
}
unsigned int SDF_GenerateKeyWithKEK(void *session, unsigned int bits, unsigned int alg, unsigned int index, unsigned char *out, unsigned int *n, void **key) {
  ENTER; SESSION;
  if (alg != 0x401) return NOMODE;
  if (index != 1 || bits != 128) return NOKEY;
  *key = malloc(16);
  RAND_bytes(*key, 16);
  sm4(EVP_sm4_ecb(), kek, NULL, *key, 16, out, 1);
  *n = 16;
  return 0;
}
unsigned int SDF_ImportKeyWithKEK(void *session, unsigned int alg, unsigned int index, const unsigned char *in, unsigned int n, void **key) {
  ENTER; SESSION;
  if (alg != 0x401) return NOMODE;
  if (index != 1 || n != 16) return NOKEY;
  *key = malloc(16);
  sm4(EVP_sm4_ecb(), kek, NULL, in, 16, *key, 0);
  return 0;
}
unsigned int SDF_DestroyKey(void *session, void *key) { SESSION; free(key); return 0; }
static unsigned int cbc(void *key, unsigned int alg, unsigned char *iv, const unsigned char *in, unsigned int n, unsigned char *out, unsigned int *m, int encrypting) {
  if (alg != 0x402) return NOMODE;
  if (n % 16 || *m < n || !sm4(EVP_sm4_cbc(), key, iv, in, n, out, encrypting)) return BASE + 0xF;
  memcpy(iv, (encrypting ? out : in) + n - 16, 16);
  *m = n;
  return 0;
}
unsigned int SDF_Encrypt(void *session, void *key, unsigned int alg, unsigned char *iv, unsigned char *in, unsigned int n, unsigned char *out, unsigned int *m) { ENTER; SESSION; return cbc(key, alg, iv, in, n, out, m, 1); }
unsigned int SDF_Decrypt(void *session, void *key, unsigned int alg, unsigned char *iv, unsigned char *in, unsigned int n, unsigned char *out, unsigned int *m) { ENTER; SESSION; return cbc(key, alg, iv, in, n, out, m, 0); }
