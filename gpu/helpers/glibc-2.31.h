// Included before every source of a program that shall run with glibc 2.31 and newer, on x86-64: what
// glibc 2.34 moved from libdl and libpthread into libc, asked for under the version that both have.
#pragma once

__asm__(".symver __libc_start_main, __libc_start_main@GLIBC_2.2.5");
__asm__(".symver dlopen, dlopen@GLIBC_2.2.5");
__asm__(".symver dlsym, dlsym@GLIBC_2.2.5");
__asm__(".symver dlerror, dlerror@GLIBC_2.2.5");
__asm__(".symver pthread_create, pthread_create@GLIBC_2.2.5");
__asm__(".symver pthread_join, pthread_join@GLIBC_2.2.5");
