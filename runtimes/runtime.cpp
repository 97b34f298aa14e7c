// The list of runtimes.
#include "runtimes/runtime.h"

namespace ckpt {

std::vector<const RuntimeTable*> all_runtimes() {
  return {&runc_table(), &crun_table(), &runsc_table()};
}

const RuntimeTable& table_of(RuntimeKind kind) {
  for (const RuntimeTable* table : all_runtimes())
    if (table->kind == kind) return *table;
  return runc_table();
}

const RuntimeTable* runtime_named(std::string_view name) {
  for (const RuntimeTable* table : all_runtimes())
    if (table->name == name) return table;
  return nullptr;
}

}  // namespace ckpt
