// Which container a name means.
#include "commands/engine_names.h"

#include "support.h"

using namespace ckpt;
using namespace ckpt::test;

TEST_CASE("engine names: the whole name, or its end where only one has it") {
  const std::vector<EngineName> names = {{"d1", "web", "web"},           {"n1", "default/web", "web"},
                                         {"n2", "default/db", "db"},     {"n3", "other/db", "db"},
                                         {"k1", "shop/web-0/nginx", ""}, {"k2", "shop/web-1/nginx", ""},
                                         {"o1", "shop/api/app", ""},     {"o2", "shop/api/app", ""}};
  CHECK(id_called(names, "web") == "d1");
  CHECK(id_called(names, "default/web") == "n1");
  CHECK(id_called(names, "other/db") == "n3");
  CHECK(id_called(names, "shop/web-1/nginx") == "k2");
  CHECK(id_called(names, "nginx") == std::nullopt);
  CHECK(id_called(names, "shop") == std::nullopt);
  CHECK(error_of([&] { id_called(names, "db"); }).message ==
        "there are 2 containers that their engines call 'db': n2, n3");
  CHECK(error_of([&] { id_called(names, "shop/api/app"); }).message ==
        "there are 2 containers that their engines call 'shop/api/app': o1, o2");
}

TEST_CASE("engine names: as the table of list shows them") {
  CHECK(name_of("k1", {.name = "cri-o", .space = "shop", .pod = "web-0", .container = "nginx"}).full ==
        "shop/web-0/nginx");
  CHECK(name_of("p1", {.name = "podman", .container = "a\nb"}).full == "a?b");
}
