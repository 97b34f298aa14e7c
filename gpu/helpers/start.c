// Where a program begins that shall run with glibc 2.31 and newer though it is built with a newer one, on
// x86-64.
//
// The compiler's own beginning calls __libc_start_main@GLIBC_2.34, which older ones lack; this one calls the
// version that all have. Without constructors there is nothing for it to run before main.
#include <stddef.h>

int main(int argc, char** argv);

// NOLINTNEXTLINE(bugprone-reserved-identifier): the name is the C library's
int __libc_start_main(int (*entry)(int, char**), int argc, char** argv, void (*init)(void),
                      void (*fini)(void), void (*loader_fini)(void), void* stack_end);
_Noreturn void ckpt_begin(long* stack, void (*loader_fini)(void));

__asm__(
    ".text\n"
    ".globl _start\n"
    ".type _start, @function\n"
    "_start:\n"
    "  xor %ebp, %ebp\n"
    "  mov %rsp, %rdi\n"
    "  mov %rdx, %rsi\n"
    "  and $-16, %rsp\n"
    "  call ckpt_begin\n");

// The stack as the kernel leaves it: argc, then argv.
_Noreturn void ckpt_begin(long* stack, void (*loader_fini)(void)) {
  __libc_start_main(main, (int)stack[0], (char**)(stack + 1), NULL, NULL, loader_fini, stack);
  __builtin_trap();
}
