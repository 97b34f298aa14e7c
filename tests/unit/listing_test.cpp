// Which of the listed containers a filter wants.
#include "commands/listing.h"

#include "support.h"

using namespace ckpt;
using namespace ckpt::test;

namespace {

std::string those(const ListFilter& filter) {
  Listed mine{.id = "web", .status = "running"};
  Listed docker{.id = "d1", .status = "paused"};
  docker.engine = Engine{.name = "docker", .container = "web"};
  Listed pod{.id = "k1", .status = "running"};
  pod.engine = Engine{.name = "cri-o", .space = "shop", .pod = "web-0", .container = "nginx"};
  std::string ids;
  for (const Listed& one : {mine, docker, pod})
    if (fits(one, filter)) ids += one.id + " ";
  return ids;
}

}  // namespace

TEST_CASE("listing: without a filter all of them") {
  CHECK(those({}) == "web d1 k1 ");
}

TEST_CASE("listing: by manager, none being one of them") {
  CHECK(those({.manager = "docker"}) == "d1 ");
  CHECK(those({.manager = "crio"}) == "k1 ");
  CHECK(those({.manager = "none"}) == "web ");
  CHECK(those({.manager = "podman"}).empty());
}

TEST_CASE("listing: of one key any value, of several keys all") {
  CHECK(those({.filters = {"status=running"}}) == "web k1 ");
  CHECK(those({.filters = {"id=web", "id=k1"}}) == "web k1 ");
  CHECK(those({.filters = {"id=web", "id=k1", "status=paused"}}).empty());
  CHECK(those({.filters = {"namespace=shop", "pod=web-0", "container=nginx"}}) == "k1 ");
  CHECK(those({.filters = {"namespace="}}) == "web d1 ");
  CHECK(those({.manager = "docker", .filters = {"status=running"}}).empty());
}

TEST_CASE("listing: a name is the whole one, its last part, or the id of one without") {
  CHECK(those({.filters = {"name=web"}}) == "web d1 ");
  CHECK(those({.filters = {"name=shop/web-0/nginx"}}) == "k1 ");
  CHECK(those({.filters = {"name=nginx"}}) == "k1 ");
  CHECK(those({.filters = {"name=k1"}}).empty());
}
