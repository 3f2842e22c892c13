/* Kernels where plain Swift measurably falls short. Each has a baseline and an AVX2 version chosen at load. */
#ifndef CKERNELS_H
#define CKERNELS_H
#include <stddef.h>
#include <stdint.h>
void ckernels_placeholder(void);
#endif
