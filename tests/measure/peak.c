// What one thread of this processor can do at most: multiply-adds that wait for nothing, and memory that is only read.
#include <stddef.h>
#include <stdint.h>
#ifdef __AVX512BF16__
#include <immintrin.h>
#endif

#define SUMS 16  // more than the multiply-adds that are under way at a time
typedef float vector __attribute__((vector_size(64)));

// 2 * 16 * SUMS operations in each turn.
float peak_float32(long turns) {
    vector sums[SUMS], factor = (vector){0} + 0.5f, term = (vector){0} + 1.0f;
    for (int i = 0; i < SUMS; i++) sums[i] = (vector){0} + (float)i;  // equal ones would be computed once
    for (long turn = 0; turn < turns; turn++)
        for (int i = 0; i < SUMS; i++) sums[i] = sums[i] * factor + term;
    float all = 0;
    for (int i = 0; i < SUMS; i++) all += sums[i][0];
    return all;
}

// 4 * 16 * SUMS operations in each turn; a negative number where the processor does not multiply BF16.
float peak_bf16(long turns) {
#ifdef __AVX512BF16__
    __m512 sums[SUMS];
    const __m512bh ones = (__m512bh)_mm512_set1_epi16(0x3f80);
    for (int i = 0; i < SUMS; i++) sums[i] = _mm512_setzero_ps();
    for (long turn = 0; turn < turns; turn++)
        for (int i = 0; i < SUMS; i++) sums[i] = _mm512_dpbf16_ps(sums[i], ones, ones);
    float all = 0;
    for (int i = 0; i < SUMS; i++) all += _mm512_cvtss_f32(sums[i]);
    return all;
#else
    (void)turns;
    return -1;
#endif
}

uint64_t peak_read(const uint64_t *numbers, size_t count) {
    uint64_t all = 0;
    for (size_t i = 0; i < count; i++) all ^= numbers[i];
    return all;
}
