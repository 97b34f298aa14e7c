// Following every way that a filter can take for one call. Jumps only lead forward, so each way ends.
#include "images/seccomp_filter.h"

#include <linux/filter.h>
#include <linux/seccomp.h>

#include <array>
#include <cstring>
#include <optional>

namespace ckpt {
namespace {

using Word = std::optional<std::uint32_t>;  ///< nullopt: it depends on the arguments

struct State {
  std::size_t at = 0;
  Word a = 0, x = 0;
  std::array<Word, BPF_MEMWORDS> memory = {};
};

constexpr std::uint32_t kDataSize = 64;  // sizeof(struct seccomp_data)
constexpr std::size_t kMostSteps = 200'000;

bool passes(std::uint32_t result) {
  const std::uint32_t action = result & SECCOMP_RET_ACTION_FULL;
  return action == SECCOMP_RET_ALLOW || action == SECCOMP_RET_LOG || action == SECCOMP_RET_TRACE;
}

Word computed(std::uint32_t operation, std::uint32_t a, std::uint32_t b) {
  switch (operation) {
    case BPF_ADD:
      return a + b;
    case BPF_SUB:
      return a - b;
    case BPF_MUL:
      return a * b;
    case BPF_AND:
      return a & b;
    case BPF_OR:
      return a | b;
    case BPF_XOR:
      return a ^ b;
    case BPF_LSH:
      return b < 32 ? a << b : 0;
    case BPF_RSH:
      return b < 32 ? a >> b : 0;
    default:
      return std::nullopt;  // a division: rare, and by nothing it ends the filter
  }
}

class Ways {
 public:
  Ways(const SeccompFilter& filter, std::uint32_t architecture, std::uint32_t number)
      : filter_(filter), architecture_(architecture), number_(number) {}

  bool any_passes() {
    open_.push_back({});
    while (!open_.empty()) {
      State state = open_.back();
      open_.pop_back();
      if (follow(state)) return true;
    }
    return false;
  }

 private:
  /// To the end of a way; where it parts, the other one is left for later.
  bool follow(State& s) {
    while (true) {
      if (++steps_ > kMostSteps || s.at >= filter_.size()) return true;
      const BpfInstruction& i = filter_[s.at++];
      switch (BPF_CLASS(i.code)) {
        case BPF_RET: {
          const Word result = BPF_RVAL(i.code) == BPF_A ? s.a : Word(i.k);
          return !result || passes(*result);
        }
        case BPF_JMP:
          jump(s, i);
          break;
        default:
          if (!compute(s, i)) return true;
      }
    }
  }

  void jump(State& s, const BpfInstruction& i) {
    if (BPF_OP(i.code) == BPF_JA) {
      s.at += i.k;
      return;
    }
    const Word b = BPF_SRC(i.code) == BPF_X ? s.x : Word(i.k);
    const Word taken = s.a && b ? compared(BPF_OP(i.code), *s.a, *b) : std::nullopt;
    if (!taken) {
      open_.push_back(s);
      open_.back().at += i.if_false;
    }
    s.at += !taken || *taken != 0 ? i.if_true : i.if_false;
  }

  static Word compared(std::uint32_t operation, std::uint32_t a, std::uint32_t b) {
    switch (operation) {
      case BPF_JEQ:
        return a == b ? 1U : 0U;
      case BPF_JGT:
        return a > b ? 1U : 0U;
      case BPF_JGE:
        return a >= b ? 1U : 0U;
      case BPF_JSET:
        return (a & b) != 0 ? 1U : 0U;
      default:
        return std::nullopt;
    }
  }

  Word loaded(std::uint32_t offset) const {
    if (offset == 0) return number_;
    if (offset == 4) return architecture_;
    return std::nullopt;
  }

  /// False for an instruction that no filter has.
  bool compute(State& s, const BpfInstruction& i) const {
    const bool memory = BPF_MODE(i.code) == BPF_MEM && i.k < BPF_MEMWORDS;
    switch (BPF_CLASS(i.code)) {
      case BPF_LD:
      case BPF_LDX: {
        Word& into = BPF_CLASS(i.code) == BPF_LD ? s.a : s.x;
        if (BPF_MODE(i.code) == BPF_ABS)
          into = loaded(i.k);
        else if (BPF_MODE(i.code) == BPF_IMM)
          into = i.k;
        else if (BPF_MODE(i.code) == BPF_LEN)
          into = kDataSize;
        else if (memory)
          into = s.memory.at(i.k);
        else
          return false;
        return true;
      }
      case BPF_ST:
      case BPF_STX:
        if (i.k >= BPF_MEMWORDS) return false;
        s.memory.at(i.k) = BPF_CLASS(i.code) == BPF_ST ? s.a : s.x;
        return true;
      case BPF_ALU: {
        const Word b = BPF_SRC(i.code) == BPF_X ? s.x : Word(i.k);
        if (BPF_OP(i.code) == BPF_NEG)
          s.a = s.a ? Word(0U - *s.a) : std::nullopt;
        else
          s.a = s.a && b ? computed(BPF_OP(i.code), *s.a, *b) : std::nullopt;
        return true;
      }
      case BPF_MISC:
        if (BPF_MISCOP(i.code) == BPF_TAX)
          s.x = s.a;
        else
          s.a = s.x;
        return true;
      default:
        return false;
    }
  }

  const SeccompFilter& filter_;
  const std::uint32_t architecture_, number_;
  std::vector<State> open_;
  std::size_t steps_ = 0;
};

}  // namespace

SeccompFilter seccomp_filter_of(std::string_view bytes) {
  SeccompFilter filter;
  if (bytes.size() % sizeof(sock_filter) != 0 || bytes.size() / sizeof(sock_filter) > BPF_MAXINSNS)
    return filter;
  for (; !bytes.empty(); bytes.remove_prefix(sizeof(sock_filter))) {
    sock_filter one = {};
    std::memcpy(&one, bytes.data(), sizeof one);
    filter.push_back({one.code, one.jt, one.jf, one.k});
  }
  return filter;
}

bool may_pass(const SeccompFilter& filter, std::uint32_t architecture, std::uint32_t number) {
  return Ways(filter, architecture, number).any_passes();
}

}  // namespace ckpt
