// Logs of failures: which line is the cause, what it means; one log for each entry of the catalogue, and the
// manual's page of them.
#include "runtimes/diagnosis.h"

#include <set>
#include <sstream>

#include "runtimes/diagnosis_lines.h"
#include "runtimes/json.h"
#include "support.h"

using namespace ckpt;
using namespace ckpt::test;

namespace {

constexpr const char* kRlimit =
    "(00.000123) Error (criu/util.c:1533): rlimit: Can't setup RLIMIT_NOFILE for self: Operation not "
    "permitted\n";
constexpr const char* kTcp =
    "(00.012345) Error (criu/sk-inet.c:191): inet: Connected TCP socket, consider using --tcp-established "
    "option.\n";
constexpr const char* kFailed = "(00.050000) Error (criu/cr-dump.c:2111): Dumping FAILED.\n";

std::string without_newline(std::string line) {
  return line.substr(0, line.find('\n'));
}

std::string reason_of(std::string_view log) {
  const Diagnosis found = diagnose(log);
  return found.entry == nullptr ? "" : std::string(found.entry->reason);
}

/// fixtures/failures/REASON.log: "# ran: WHERE; cause in line N" or "# source: ...", then the log.
struct Sample {
  std::string origin;
  std::size_t cause = 0;
  std::string log;
};

Sample sample(std::string_view reason) {
  const std::string text = fixture(fmt::format("failures/{}.log", reason));
  const std::size_t end = text.find('\n'), at = text.rfind("line ", end);
  REQUIRE(text.starts_with("# "));
  REQUIRE(at != text.npos);
  return {text.substr(2, at), std::stoul(text.substr(at + 5)), text.substr(end + 1)};
}

/// fixtures/posted.txt: "== NAME | REASON or - | LINE", then the log.
struct Posted {
  std::string name, reason;
  std::size_t cause = 0;
  std::string log;
};

std::string trimmed(const std::string& text) {
  const std::size_t begin = text.find_first_not_of(' '), end = text.find_last_not_of(' ');
  return begin == text.npos ? "" : text.substr(begin, end - begin + 1);
}

std::vector<Posted> posted_logs() {
  std::vector<Posted> all;
  std::istringstream text(fixture("posted.txt"));
  for (std::string line; std::getline(text, line);) {
    if (!line.starts_with("== ")) {
      if (!all.empty()) all.back().log += line + "\n";
      continue;
    }
    const std::size_t first = line.find('|'), second = line.rfind('|');
    all.push_back({trimmed(line.substr(3, first - 3)), trimmed(line.substr(first + 1, second - first - 1)),
                   std::stoul(line.substr(second + 1)), ""});
  }
  return all;
}

/// As roff takes it for text: no macro, no escape, no control line.
std::string roff(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '\\')
      out += "\\e";
    else if (c == '-')
      out += "\\-";
    else
      out += c;
  }
  return out;
}

/// Broken as the page is, none of the lines beginning with what roff would take for a control character.
std::string sentence(std::string text) {
  text[0] = static_cast<char>(std::toupper(static_cast<unsigned char>(text[0])));
  std::string out, line;
  std::istringstream words(text + ".");
  for (std::string word; words >> word;) {
    if (line.size() + word.size() > 70) out += std::exchange(line, "") + "\n";
    if (line.empty() && (word[0] == '\'' || word[0] == '.'))
      line = "\\&";
    else if (!line.empty())
      line += ' ';
    line += roff(word);
  }
  return out + line + "\n";
}

std::string page_line(std::string_view signature) {
  std::string words;
  for (std::size_t begin = 0; begin < signature.size();) {
    const std::size_t end = std::min(signature.find(' ', begin), signature.size());
    words += (words.empty() ? "\\&" : " \\&") + roff(signature.substr(begin, end - begin));
    begin = end + 1;
  }
  return fmt::format(".Dl {}\n", words);
}

std::string page_entry(const CatalogueEntry& entry) {
  std::string lines;
  for (std::size_t begin = 0; begin < entry.signature.size();) {
    const std::size_t end = std::min(entry.signature.find('|', begin), entry.signature.size());
    lines += page_line(entry.signature.substr(begin, end - begin));
    begin = end + 1;
  }
  const std::string versions = entry.versions.empty() ? "" : fmt::format(" ({})", entry.versions);
  return fmt::format(".It {}\n{}{}:\n{}{}{}", roff(entry.reason),
                     entry.program.empty() ? "any program" : entry.program, roff(versions), lines,
                     sentence(std::string(entry.meaning)), sentence(std::string(entry.remedy)));
}

}  // namespace

TEST_CASE("diagnosis: every entry has a log in which it and its line are found") {
  for (const CatalogueEntry& entry : catalogue()) {
    INFO(entry.reason);
    const Sample known = sample(entry.reason);
    const bool told = known.origin.starts_with("ran") || known.origin.starts_with("source") ||
                      known.origin.starts_with("posted");
    CHECK(told);
    const Diagnosis found = diagnose(known.log);
    CHECK(found.cause.number == known.cause);
    REQUIRE(found.entry != nullptr);
    CHECK(found.entry->reason == entry.reason);
  }
}

TEST_CASE("diagnosis: a log's cause is the same in the middle of another's harmless lines") {
  const std::string before = std::string("(00.000001) Version: 4.1.1\n") + kRlimit +
                             "(00.2) Warn  (criu/seize.c:404): Unexpected process 7 in the freezer cgroup\n";
  for (const CatalogueEntry& entry : catalogue()) {
    INFO(entry.reason);
    const Sample known = sample(entry.reason);
    CHECK(diagnose(before + known.log + kFailed).cause.number == known.cause + 3);
  }
}

TEST_CASE("diagnosis: reasons are unique words, entries complete sentences") {
  std::set<std::string_view> reasons;
  CHECK(catalogue().size() >= 40);
  for (const CatalogueEntry& entry : catalogue()) {
    INFO(entry.reason);
    CHECK(reasons.insert(entry.reason).second);
    CHECK(entry.reason.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-") == std::string_view::npos);
    CHECK_FALSE(entry.signature.empty());
    CHECK_FALSE(entry.meaning.empty());
    CHECK_FALSE(entry.remedy.empty());
    CHECK_FALSE(entry.meaning.ends_with('.'));
    CHECK_FALSE(entry.remedy.ends_with('.'));
  }
}

TEST_CASE("diagnosis: each log of the fixtures belongs to an entry") {
  for (const auto& file : fs::directory_iterator(fs::path(CKPT_FIXTURES) / "failures")) {
    const std::string reason = file.path().stem().string();
    INFO(reason);
    CHECK(std::any_of(catalogue().begin(), catalogue().end(),
                      [&](const CatalogueEntry& entry) { return entry.reason == reason; }));
  }
}

TEST_CASE("diagnosis: ckpt-errors(7) is the catalogue") {
  // With CKPT_WRITE_ERRORS_PAGE in the environment the page's list is written anew.
  const fs::path path = fs::path(CKPT_FIXTURES) / "../../man/ckpt-errors.7";
  const std::string begin = ".Bl -tag -width Ds\n", end = ".El\n";
  std::string page = read_file(path).value_or(""), list;
  for (const CatalogueEntry& entry : catalogue()) list += page_entry(entry);
  const std::size_t from = page.find(begin) + begin.size(), to = page.find(end, from);
  REQUIRE(to != page.npos);
  if (::getenv("CKPT_WRITE_ERRORS_PAGE") != nullptr)
    write_file_atomic(path, page.replace(from, to - from, list), 0644);
  else
    CHECK(page.substr(from, to - from) == list);
}

TEST_CASE("diagnosis: the first causal line is the cause, not the harmless ones around it") {
  const std::string log = std::string("(00.000001) Version: 4.1.1\n") + kRlimit + kTcp +
                          "(00.02) Error (criu/other.c:1): something that follows\n" + kFailed;
  const Diagnosis found = diagnose(log);
  CHECK(found.cause.number == 3);
  CHECK(found.cause.text == without_newline(kTcp));
  REQUIRE(found.entry != nullptr);
  CHECK(found.entry->meaning == "the container has an established TCP connection");
  CHECK(contains(found.entry->remedy, "--tcp-established"));
  CHECK(found.candidates.size() == 2);
}

TEST_CASE("diagnosis: a log of a dump that worked has no cause") {
  CHECK(diagnose("").cause.number == 0);
  CHECK(diagnose("(00.1) Dumping finished successfully\n").cause.number == 0);
  CHECK(diagnose(std::string(kRlimit) +
                 "(00.2) Error (criu/cgroup.c:1): cg: cgroupd: recv req error: No such file\n" + kFailed)
            .cause.number == 0);
  CHECK(diagnose(std::string(kTcp) + "(00.9) Dumping finished successfully\n").cause.number == 0);
}

TEST_CASE("diagnosis: each harmless line is passed over") {
  for (const char* text : {"rlimit: Can't setup RLIMIT_NOFILE for self", "cg: cgroupd: recv req error",
                           "Dumping FAILED.", "Restoring FAILED.", "7 exited, status=1",
                           "cuda_plugin: Failed to launch cuda-checkpoint to retrieve restore tid: Could not "
                           "find restore thread for process ID 7"}) {
    INFO(text);
    CHECK(diagnose(fmt::format("(00.1) Error (criu/x.c:1): {}\n", text)).cause.number == 0);
    CHECK(diagnose(fmt::format("(00.1) Error (criu/x.c:1): {}\n{}", text, kTcp)).cause.number == 2);
  }
}

TEST_CASE("diagnosis: an error that follows another is the cause only where there is no other") {
  for (const char* text : {"Dump files (pid: 7) failed with -1", "Unable to open fd=3 id=0x4",
                           "Unable to detach from 7", "Timeout reached. Try to interrupt: 0",
                           "7 killed by signal 9: Killed", "Can't send request message: Permission denied"}) {
    INFO(text);
    const std::string line = fmt::format("(00.1) Error (criu/x.c:1): {}\n", text);
    CHECK(diagnose(line + kFailed).cause.number == 1);
    CHECK(diagnose(line + kTcp).cause.number == 2);
    CHECK(diagnose(kTcp + line).cause.number == 1);
  }
}

TEST_CASE("diagnosis: of posted logs none has a wrong cause, in each the line is found") {
  const std::vector<Posted> all = posted_logs();
  CHECK(all.size() >= 80);
  std::size_t known = 0;
  for (const Posted& posted : all) {
    INFO(posted.name);
    const Diagnosis found = diagnose(posted.log);
    CHECK(found.cause.number == posted.cause);
    CHECK((found.entry == nullptr ? "-" : found.entry->reason) == posted.reason);
    known += found.entry != nullptr;
  }
  CHECK(known * 100 >= all.size() * 60);
}

TEST_CASE("diagnosis: posted logs as journald, runc, containerd and Windows hand them on") {
  const auto wrapped = [](const std::string& log, const auto& wrap) {
    std::string out;
    for_each_line(log, [&](const LogLine& line) { out += wrap(std::string(line.text)) + "\n"; });
    return out;
  };
  for (const Posted& posted : posted_logs()) {
    if (!is_criu_error(diagnose(posted.log).cause.text)) continue;
    INFO(posted.name);
    const auto same = [&](const std::string& log) {
      const Diagnosis found = diagnose(log);
      CHECK(found.cause.number == posted.cause);
      CHECK((found.entry == nullptr ? "-" : found.entry->reason) == posted.reason);
    };
    same(wrapped(posted.log, [](const std::string& line) { return line + "\r"; }));
    same(wrapped(posted.log,
                 [](const std::string& line) { return "Nov 28 12:00:01 host runc[4711]: " + line; }));
    same(wrapped(posted.log, [](const std::string& line) {
      return "time=\"2026-11-28T12:00:01Z\" level=warning msg=\"12:" + line + "\"";
    }));
    same(wrapped(posted.log, [](const std::string& line) {
      return nlohmann::json{{"level", "warning"}, {"msg", "12:" + line}}.dump(
          -1, ' ', false, nlohmann::json::error_handler_t::replace);
    }));
  }
}

TEST_CASE("diagnosis: several lines that one line quotes are read as several") {
  const std::string quoted = "(00.1) Error (criu/util.c:1): rlimit: Can't setup RLIMIT_NOFILE for self\\n" +
                             without_newline(kTcp) + "\\n(00.9) Error (criu/cr-dump.c:2): Dumping FAILED.";
  const std::string log = "first\n{\"level\":\"error\",\"msg\":\"" + quoted + "\"}\n";
  const Diagnosis found = diagnose(log);
  CHECK(found.cause.number == 2);
  CHECK(found.cause.text == without_newline(kTcp));
  REQUIRE(found.entry != nullptr);
  CHECK(found.entry->reason == "tcp-connected");
}

TEST_CASE("diagnosis: the words of an errno alone name no cause") {
  for (const char* errno_words : {"No space left on device", "no space left on device", "Permission denied",
                                  "permission denied", "No such file or directory", "File exists",
                                  "Operation not permitted", "Invalid argument", "Address already in use"}) {
    INFO(errno_words);
    CHECK(reason_of(fmt::format("(00.1) Error (criu/new.c:9): Can't do it: {}\n", errno_words)).empty());
    CHECK(reason_of(fmt::format("level=error msg=\"cannot do it: {}\"\n", errno_words)).empty());
    CHECK(reason_of(fmt::format("checkpointing container \"c\": new thing: {}\n", errno_words)).empty());
  }
}

TEST_CASE("diagnosis: a full disk is told by what was written, cgroups and watches have no disk") {
  CHECK(reason_of("checkpointing container \"a\": write /srv/img/pages.img: no space left on device\n") ==
        "disk-full");
  CHECK(reason_of("(00.1) Error (criu/bfd.c:131): bfd: Error flushing image: No space left on device\n") ==
        "disk-full");
  CHECK(reason_of("write /sys/fs/cgroup/cpuset/a/cpuset.cpus: no space left on device\n").empty());
  CHECK(reason_of("level=error msg=\"mkdir /sys/fs/cgroup/memory/a: no space left on device\"\n").empty());
  CHECK(reason_of("(00.1) Error (criu/cgroup.c:1): cg: Can't move 1 into cpuset//a/cgroup.procs (-1/6): No "
                  "space left on device\n") == "cpuset-empty");
  CHECK(reason_of("(00.1) Error (criu/cgroup.c:1): cg: Can't move 1 into memory//a/cgroup.procs (-1/6): No "
                  "space left on device\n")
            .empty());
}

TEST_CASE("diagnosis: whose mount a descriptor is on") {
  const auto lookup = [](const std::string& rest) {
    return reason_of("(00.1) Error (criu/files-reg.c:1): Can't lookup mount=7 for fd=" + rest + "\n");
  };
  CHECK(lookup("1 path=/srv/out.txt") == "outside-file");
  CHECK(lookup("0 path=/dev/pts/3") == "outside-file");
  CHECK(lookup("-3 path=/bin/sh").empty());
  CHECK(lookup("4 path=/queue").empty());
  CHECK(lookup("4 path=/memfd:x/y").empty());
  CHECK(lookup("4 path=/dev/zero (deleted)").empty());
  CHECK(lookup("4 path=/secretmem (deleted)") == "memfd-secret");
  CHECK(reason_of("(00.1) Error (criu/files-reg.c:1): Can't create link remap for /secretmem. Use link-remap "
                  "option.\n") == "memfd-secret");
}

TEST_CASE("diagnosis: a log that failed after one that ended well") {
  const std::string well = "(00.000001) Version: 4.2 (gitid 0)\n(00.1) Dumping finished successfully\n";
  CHECK(diagnose(well + "(00.000001) Version: 4.2 (gitid 0)\n" + kTcp).cause.number == 4);
  CHECK(diagnose(well + kTcp).cause.number == 0);
  CHECK(reason_of(well + "level=error msg=\"container with given ID already exists\"\n") == "runc-id-taken");
}

TEST_CASE("diagnosis: signatures take words and any text") {
  CHECK(find_entry("write /a/b.img: no space left on device")->reason == "disk-full");
  CHECK(find_entry("write to the thing: no space left on device") == nullptr);
  CHECK(find_entry("restoring container \"c\": no such file or directory")->reason == "runsc-file-gone");
  CHECK(find_entry("restoring container \"c\": new thing: no such file or directory") == nullptr);
}

TEST_CASE("diagnosis: an unknown failure is no guess, and its lines are told") {
  const Diagnosis found =
      diagnose("(00.1) Error (criu/new.c:9): never seen before\n(00.2) Error (criu/new.c:10): nor this\n");
  CHECK(found.cause.number == 1);
  CHECK(found.cause.text == "(00.1) Error (criu/new.c:9): never seen before");
  CHECK(found.entry == nullptr);
  REQUIRE(found.candidates.size() == 2);
  CHECK(found.candidates[1].number == 2);
}

TEST_CASE("diagnosis: a known line behind an unknown one is not the cause") {
  CHECK(reason_of(std::string("(00.1) Error (criu/new.c:9): never seen before\n") + kTcp).empty());
}

TEST_CASE("diagnosis: that CRIU failed is the cause only where nothing else is") {
  const std::string general = "time=\"x\" level=error msg=\"criu failed: type NOTIFY errno 0\"\n";
  CHECK(reason_of(general) == "runc-criu-failed");
  CHECK(reason_of(general + kTcp) == "tcp-connected");
}

TEST_CASE("diagnosis: the plugin's own words are the cause where a GPU was open, and only there") {
  const std::string disabled = "(00.1) cuda_plugin: No GPU device found; CUDA plugin is disabled\n";
  CHECK(reason_of(disabled + kTcp) == "tcp-connected");
  CHECK(reason_of(disabled + "(00.9) Dumping finished successfully\n").empty());
  CHECK(reason_of(disabled + "(00.2) Error (criu/files-ext.c:94): Can't dump file 3 of that type [20666] "
                             "(chr 195:0)\n") == "cuda-no-gpu");
}

TEST_CASE("diagnosis: the runtimes' logs as text, JSON and gVisor's own") {
  CHECK(reason_of(
            "{\"level\":\"error\",\"msg\":\"container with given ID already exists\",\"time\":\"x\"}\n") ==
        "runc-id-taken");
  CHECK(reason_of("{\"level\":\"warning\",\"msg\":\"container with given ID already exists\"}\n").empty());
  CHECK(reason_of("{\n  \"msg\": \"container `c` already exists\",\n  \"level\": \"error\"\n}\n") ==
        "crun-id-taken");
  CHECK(
      reason_of("I1122 10:00:00.000001  17 x.go:1] Unable to find a thing\n"
                "W1122 10:00:00.000002  17 main.go:2] FATAL ERROR: restoring: statefile cannot be empty\n") ==
      "runsc-image-empty");
  CHECK(reason_of("time=\"x\" level=warning msg=\"--- Quoting \\\"dump.log\\\"\"\n"
                  "time=\"x\" level=warning msg=\"12:" +
                  without_newline(kTcp) + "\"\n") == "tcp-connected");
}

TEST_CASE("diagnosis: lines with carriage returns, without an end, or very long are read") {
  CHECK(diagnose("Error (x.c:1): a").cause.number == 1);
  CHECK(diagnose(std::string(1U << 20U, 'x') + "\nError (x.c:1): a\n\n\n").cause.number == 2);
  CHECK(diagnose(std::string(1U << 20U, '\n')).cause.number == 0);
}

TEST_CASE("diagnosis: what a terminal would obey is not shown") {
  CHECK(printable_line("a\x1b[31mb\r") == "a?[31mb");
  CHECK(printable_line("a\xc2\x9b"
                       "b\tc") == "a??b c");
  CHECK(printable_line(std::string(9000, 'x')).size() == 503);
}
