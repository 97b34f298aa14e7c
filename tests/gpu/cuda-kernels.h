// The kernels of cuda-work, as PTX that every driver since 2017 compiles for its GPU, from Maxwell on.
//
// Each loops over all words with a stride of the whole grid, so that any number of them fits any grid:
//   fill(data, words, seed)    data[i] = mix(i + seed)
//   digest(data, words, sum)   *sum += mix(data[i] + i * kStride): in any order the same, for other contents
//   or
//                              places another
//   bump(counter)              *counter += 1; for one thread
//   spin(nanoseconds)          keeps the GPU busy; for one thread
// where mix(x) is: x ^= x >> 33; x *= kMix; x ^= x >> 33.
#pragma once

#include <stdint.h>

static const uint64_t kMix = 0xff51afd7ed558ccdULL;
static const uint64_t kStride = 0x9e3779b97f4a7c15ULL;

static const char kKernels[] =
    ".version 6.0\n"
    ".target sm_50\n"
    ".address_size 64\n"
    "\n"
    ".visible .entry fill(.param .u64 fill_data, .param .u64 fill_words, .param .u64 fill_seed)\n"
    "{\n"
    "  .reg .pred %p<2>;\n"
    "  .reg .b32 %r<5>;\n"
    "  .reg .b64 %rd<10>;\n"
    "  ld.param.u64 %rd1, [fill_data];\n"
    "  ld.param.u64 %rd2, [fill_words];\n"
    "  ld.param.u64 %rd3, [fill_seed];\n"
    "  cvta.to.global.u64 %rd1, %rd1;\n"
    "  mov.u32 %r1, %ctaid.x;\n"
    "  mov.u32 %r2, %ntid.x;\n"
    "  mov.u32 %r3, %tid.x;\n"
    "  mov.u32 %r4, %nctaid.x;\n"
    "  mul.wide.u32 %rd4, %r1, %r2;\n"  // i
    "  cvt.u64.u32 %rd5, %r3;\n"
    "  add.u64 %rd4, %rd4, %rd5;\n"
    "  mul.wide.u32 %rd6, %r4, %r2;\n"  // all threads
    "fill_next:\n"
    "  setp.ge.u64 %p1, %rd4, %rd2;\n"
    "  @%p1 bra fill_done;\n"
    "  add.u64 %rd7, %rd4, %rd3;\n"
    "  shr.u64 %rd8, %rd7, 33;\n"
    "  xor.b64 %rd7, %rd7, %rd8;\n"
    "  mul.lo.u64 %rd7, %rd7, 0xff51afd7ed558ccd;\n"
    "  shr.u64 %rd8, %rd7, 33;\n"
    "  xor.b64 %rd7, %rd7, %rd8;\n"
    "  shl.b64 %rd9, %rd4, 3;\n"
    "  add.u64 %rd9, %rd1, %rd9;\n"
    "  st.global.u64 [%rd9], %rd7;\n"
    "  add.u64 %rd4, %rd4, %rd6;\n"
    "  bra fill_next;\n"
    "fill_done:\n"
    "  ret;\n"
    "}\n"
    "\n"
    ".visible .entry digest(.param .u64 digest_data, .param .u64 digest_words, .param .u64 digest_sum)\n"
    "{\n"
    "  .reg .pred %p<2>;\n"
    "  .reg .b32 %r<5>;\n"
    "  .reg .b64 %rd<13>;\n"
    "  ld.param.u64 %rd1, [digest_data];\n"
    "  ld.param.u64 %rd2, [digest_words];\n"
    "  ld.param.u64 %rd3, [digest_sum];\n"
    "  cvta.to.global.u64 %rd1, %rd1;\n"
    "  cvta.to.global.u64 %rd3, %rd3;\n"
    "  mov.u32 %r1, %ctaid.x;\n"
    "  mov.u32 %r2, %ntid.x;\n"
    "  mov.u32 %r3, %tid.x;\n"
    "  mov.u32 %r4, %nctaid.x;\n"
    "  mul.wide.u32 %rd4, %r1, %r2;\n"  // i
    "  cvt.u64.u32 %rd5, %r3;\n"
    "  add.u64 %rd4, %rd4, %rd5;\n"
    "  mul.wide.u32 %rd6, %r4, %r2;\n"  // all threads
    "  mov.u64 %rd7, 0;\n"              // this thread's sum
    "  mov.u64 %rd8, 0x9e3779b97f4a7c15;\n"
    "digest_next:\n"
    "  setp.ge.u64 %p1, %rd4, %rd2;\n"
    "  @%p1 bra digest_done;\n"
    "  shl.b64 %rd9, %rd4, 3;\n"
    "  add.u64 %rd9, %rd1, %rd9;\n"
    "  ld.global.u64 %rd10, [%rd9];\n"
    "  mul.lo.u64 %rd11, %rd4, %rd8;\n"
    "  add.u64 %rd10, %rd10, %rd11;\n"
    "  shr.u64 %rd12, %rd10, 33;\n"
    "  xor.b64 %rd10, %rd10, %rd12;\n"
    "  mul.lo.u64 %rd10, %rd10, 0xff51afd7ed558ccd;\n"
    "  shr.u64 %rd12, %rd10, 33;\n"
    "  xor.b64 %rd10, %rd10, %rd12;\n"
    "  add.u64 %rd7, %rd7, %rd10;\n"
    "  add.u64 %rd4, %rd4, %rd6;\n"
    "  bra digest_next;\n"
    "digest_done:\n"
    "  red.global.add.u64 [%rd3], %rd7;\n"
    "  ret;\n"
    "}\n"
    "\n"
    ".visible .entry bump(.param .u64 bump_counter)\n"
    "{\n"
    "  .reg .b64 %rd<3>;\n"
    "  ld.param.u64 %rd1, [bump_counter];\n"
    "  cvta.to.global.u64 %rd1, %rd1;\n"
    "  ld.global.u64 %rd2, [%rd1];\n"
    "  add.u64 %rd2, %rd2, 1;\n"
    "  st.global.u64 [%rd1], %rd2;\n"
    "  ret;\n"
    "}\n"
    "\n"
    ".visible .entry spin(.param .u64 spin_nanoseconds)\n"
    "{\n"
    "  .reg .pred %p<2>;\n"
    "  .reg .b64 %rd<4>;\n"
    "  ld.param.u64 %rd1, [spin_nanoseconds];\n"
    "  mov.u64 %rd2, %globaltimer;\n"
    "spin_next:\n"
    "  mov.u64 %rd3, %globaltimer;\n"
    "  sub.u64 %rd3, %rd3, %rd2;\n"
    "  setp.lt.u64 %p1, %rd3, %rd1;\n"
    "  @%p1 bra spin_next;\n"
    "  ret;\n"
    "}\n";
