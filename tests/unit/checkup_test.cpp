// doctor's judgements, and the commands that install what is missing.
#include "gpu/checkup.h"

#include "runtimes/checkup.h"
#include "runtimes/distribution.h"
#include "support.h"

using namespace ckpt;

namespace {

using Status = Check::Status;

/// A host where nothing is wrong.
HostState good_host() {
  HostState host;
  host.runtimes = {{.kind = RuntimeKind::runc, .program = {"/usr/bin/runc", "1.3.6"}, .checkpoints = true},
                   {.kind = RuntimeKind::crun, .program = {"/usr/bin/crun", "1.28"}, .checkpoints = true},
                   {.kind = RuntimeKind::runsc, .program = {}}};
  host.criu = {.program = {"/usr/sbin/criu", "4.2.1"},
               .checked = true,
               .features = {{"mem_dirty_track", true}},
               .plugins = "/usr/lib/criu"};
  host.kernel = {.release = "6.18.1",
                 .cgroups = "v2",
                 .freezer = true,
                 .ns_last_pid = true,
                 .pid_max = 4194304,
                 .seccomp = true,
                 .root = true};
  host.network = {"/usr/sbin/iptables-restore", "/usr/sbin/ip6tables-restore", "", true};
  host.own = {{"cuda-checkpoint", true, ""}};
  host.store = {.path = "/var/lib/ckpt",
                .exists = true,
                .filesystem = "ext4",
                .free = 50'000'000'000,
                .total = 100'000'000'000};
  host.state = {.path = "/run/ckpt", .exists = true};
  host.overlayfs = true;
  return host;
}

Check check_of(const HostState& host, const std::string& area, const std::string& name) {
  for (const Check& check : check_host_state(host))
    if (check.area == area && check.name == name) return check;
  FAIL("no check " << area << " " << name);
  return {};
}

Status status_of(const HostState& host, const std::string& area, const std::string& name) {
  return check_of(host, area, name).status;
}

}  // namespace

TEST_CASE("checkup: without CAP_SYS_RESOURCE other users' processes cannot be dumped") {
  HostState host = good_host();
  host.kernel.resource = false;
  CHECK(status_of(host, "kernel", "capabilities") == Status::warning);
  host.kernel.root = false;  // then there are greater obstacles, which are told
  CHECK(status_of(host, "kernel", "capabilities") == Status::ok);
}

TEST_CASE("checkup: a good host has nothing to say against it") {
  for (const Check& check : check_host_state(good_host())) {
    INFO(check.area << " " << check.name << ": " << check.found);
    CHECK(check.status == Status::ok);
    CHECK(check.fix.empty());
    CHECK_FALSE(check.found.empty());
  }
}

TEST_CASE("checkup: whatever is not ok has a fix") {
  for (const Check& check : check_host_state(HostState{})) {
    INFO(check.area << " " << check.name);
    CHECK(check.fix.empty() == (check.status == Status::ok));
  }
}

TEST_CASE("checkup: runtimes") {
  HostState host = good_host();
  SECTION("one that is not installed is fine while another is there") {
    CHECK(status_of(host, "runtime", "runsc") == Status::ok);
  }
  SECTION("but not the one that --runtime names") {
    host.runtimes = {{.kind = RuntimeKind::runsc, .wanted = true}};
    const Check check = check_of(host, "runtime", "runsc");
    CHECK(check.status == Status::fails);
    CHECK(check.missing == "runsc");
  }
  SECTION("none at all") {
    for (RuntimeState& runtime : host.runtimes) runtime.program = {};
    const Check check = check_of(host, "runtime", "any");
    CHECK(check.status == Status::fails);
    CHECK(check.missing == "runc");
  }
  SECTION("one without checkpoint") {
    host.runtimes[1].checkpoints = false;
    const Check check = check_of(host, "runtime", "crun");
    CHECK(check.status == Status::fails);
    CHECK(check.found == "1.28 ('/usr/bin/crun'), without checkpoint");
    CHECK(check.fix == "install a crun that is built with CRIU; 'crun --version' shows +CRIU then");
  }
  SECTION("an old one") {
    host.runtimes[0].program.version = "1.0.3";
    CHECK(status_of(host, "runtime", "runc") == Status::warning);
  }
  SECTION("one that hangs") {
    host.runtimes[0].program.problem = "'runc --version' did not answer in time";
    CHECK(check_of(host, "runtime", "runc").found == "'runc --version' did not answer in time");
    CHECK(status_of(host, "runtime", "runc") == Status::fails);
  }
}

TEST_CASE("checkup: CRIU and the kernel") {
  HostState host = good_host();
  SECTION("4.1 loses sockets from 6.16 on") {
    host.criu.program.version = "4.1.1";
    CHECK(check_of(host, "criu", "version").found ==
          "4.1.1 ('/usr/sbin/criu') cannot dump a process with a TCP socket on kernel 6.18.1");
    CHECK(status_of(host, "criu", "version") == Status::fails);
    host.kernel.release = "6.12.0";
    CHECK(status_of(host, "criu", "version") == Status::ok);
  }
  SECTION("an older one stops the container first") {
    host.criu.program.version = "3.17.1";
    host.kernel.release = "6.1.0";
    CHECK(status_of(host, "criu", "version") == Status::warning);
  }
  SECTION("criu check has the last word") {
    host.criu.check = "Error (criu/vdso.c:381): vdso: Unexpected rt vDSO area bounds";
    CHECK(status_of(host, "criu", "check") == Status::fails);
    CHECK(check_of(host, "criu", "check").found == host.criu.check);
  }
  SECTION("no dirty tracking") {
    host.criu.features["mem_dirty_track"] = false;
    CHECK(check_of(host, "criu", "mem_dirty_track").found == "no: --pre-copy does not work");
    CHECK(status_of(host, "criu", "mem_dirty_track") == Status::warning);
  }
  SECTION("missing: only runc and crun need it") {
    host.criu = {};
    CHECK(check_of(host, "criu", "version").missing == "criu");
    CHECK(status_of(host, "criu", "version") == Status::fails);
    host.runtimes = {
        {.kind = RuntimeKind::runsc, .program = {"/usr/bin/runsc", "2026"}, .checkpoints = true}};
    host.network = {};
    CHECK(status_of(host, "criu", "version") == Status::ok);
    CHECK(status_of(host, "network", "iptables-restore") == Status::ok);
  }
}

TEST_CASE("checkup: kernel and network") {
  HostState host = good_host();
  SECTION("crun refuses a hybrid host; runc does not") {
    host.kernel.cgroups = "hybrid";
    CHECK(status_of(host, "kernel", "cgroups") == Status::ok);
    host.kernel.cgroup2_busy = true;
    CHECK(status_of(host, "kernel", "cgroups") == Status::warning);
    host.runtimes = {host.runtimes[1]};
    CHECK(status_of(host, "kernel", "cgroups") == Status::fails);
  }
  SECTION("pids") {
    host.kernel.ns_last_pid = false;
    CHECK(status_of(host, "kernel", "pids") == Status::ok);
    host.kernel.release = "5.4.0";
    CHECK(status_of(host, "kernel", "pids") == Status::fails);
  }
  SECTION("hidepid matters to others than root") {
    host.kernel.hidepid = "2";
    CHECK(status_of(host, "kernel", "hidepid") == Status::ok);
    host.kernel.root = false;
    CHECK(status_of(host, "kernel", "hidepid") == Status::warning);
  }
  SECTION("no iptables") {
    host.network.iptables.clear();
    CHECK(status_of(host, "network", "iptables-restore") == Status::fails);
    CHECK(check_of(host, "network", "iptables-restore").missing == "iptables");
  }
  SECTION("no IPv6, no ip6tables") {
    host.network.ip6tables.clear();
    CHECK(status_of(host, "network", "ip6tables-restore") == Status::fails);
    host.network.ipv6 = false;
    CHECK(status_of(host, "network", "ip6tables-restore") == Status::ok);
  }
}

TEST_CASE("checkup: the store") {
  HostState host = good_host();
  const auto directory = [&] { return check_of(host, "store", "directory"); };
  SECTION("is made when needed") {
    host.store.exists = false;
    CHECK(directory().status == Status::ok);
  }
  SECTION("open to others") {
    host.store.mode = 0755;
    CHECK(directory().status == Status::warning);
    CHECK(directory().fix == "chmod 700 '/var/lib/ckpt'");
  }
  SECTION("read-only") {
    host.store.read_only = true;
    CHECK(directory().status == Status::fails);
  }
  SECTION("no directory") {
    host.store.problem = "is no directory";
    CHECK(directory().found == "'/var/lib/ckpt' is no directory");
    CHECK(directory().status == Status::fails);
  }
  SECTION("space") {
    host.store.free = 900'000'000;
    CHECK(status_of(host, "store", "space") == Status::warning);
    CHECK(check_of(host, "store", "space").found == "900 MB of 100.0 GB free");
    host.store.free = 1'000'000;
    CHECK(status_of(host, "store", "space") == Status::fails);
  }
  SECTION("on an overlay there is no other overlay") {
    host.store.filesystem = "overlay";
    CHECK(status_of(host, "store", "overlay") == Status::warning);
  }
}

TEST_CASE("checkup: GPUs never fail") {
  CHECK(check_gpus({}).size() == 1);
  CHECK(check_gpus({}).front().status == Status::ok);
  HostFacts facts{.driver = "470.1", .nvml_problem = "no library"};
  facts.runtimes = {{.kind = RuntimeKind::runc, .path = "/usr/bin/runc", .version = "1.3"}};
  for (const Check& check : check_gpus(facts)) {
    INFO(check.name);
    CHECK(check.status != Status::fails);
    CHECK((check.status == Status::warning) == (check.name != "driver"));
  }
}

TEST_CASE("distribution: families") {
  using Family = Distribution::Family;
  CHECK(distribution_of("ID=debian\n").family == Family::debian);
  CHECK(distribution_of("NAME=x\nID=linuxmint\nID_LIKE=\"ubuntu debian\"\n").family == Family::debian);
  CHECK(distribution_of("ID=\"rocky\"\nID_LIKE=\"rhel centos fedora\"\n").family == Family::fedora);
  CHECK(distribution_of("ID=arch\r\n").family == Family::arch);
  CHECK(distribution_of("ID=\"opensuse-tumbleweed\"\n").family == Family::suse);
  CHECK(distribution_of("ID=void\n").family == Family::unknown);
  CHECK(distribution_of("").family == Family::unknown);
}

TEST_CASE("distribution: commands") {
  const auto commands = [](const char* os, const std::set<std::string>& programs) {
    return install_commands(distribution_of(os), programs);
  };
  using Lines = std::vector<std::string>;
  CHECK(commands("ID=debian", {"iptables", "criu"}) == Lines{"apt-get install criu iptables"});
  CHECK(commands("ID=ubuntu", {"criu"}) ==
        Lines{"add-apt-repository -y ppa:criu/ppa", "apt-get install criu"});
  CHECK(commands("ID=fedora", {"iptables"}) == Lines{"dnf install iptables-nft"});
  CHECK(commands("ID=arch", {"runc"}) == Lines{"pacman -S runc"});
  CHECK(commands("ID_LIKE=suse", {"runc"}) == Lines{"zypper install runc"});
  CHECK(commands("ID=void", {"runc"}) == Lines{"# no package command is known for 'void'; missing: runc"});
  CHECK(commands("ID=debian", {"runsc"}) == Lines{"# runsc: https://gvisor.dev/docs/user_guide/install/"});
  CHECK(commands("ID=debian", {}).empty());
}
