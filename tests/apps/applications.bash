# shellcheck shell=bash disable=SC2016,SC2028,SC2034 # what is printed is for the shell inside; the lists are for `run`
# What each application is started by, how it is told a number, and how it is asked for it: three functions print the
# shell's text for inside the container. The number lives in the application's memory, and in its files where it keeps them.

# user NAME: the application's own, or root where CRIU could not look into another user's processes
user() { if may_look_into_others; then echo "$1"; else echo root; fi; }
may_look_into_others() { [[ ${GLOBAL[1]} == runsc ]] || ((0x$(sed -n 's/^CapEff:\s*//p' /proc/self/status) >> 24 & 1)); } # CAP_SYS_RESOURCE

APPLICATIONS=(redis memcached nginx haproxy node java python postgres mariadb rabbitmq)

run_redis() { echo 'exec redis-server --dir /var/lib/redis --save 5 1 --appendonly yes'; }
put_redis() { echo "redis-cli set n $1; redis-cli bgsave"; }
get_redis() { echo 'redis-cli get n'; }

run_memcached() { echo "exec memcached -u $(user memcache) -l 127.0.0.1"; }
put_memcached() { echo "printf 'set n 0 0 ${#1}\\r\\n$1\\r\\nquit\\r\\n' | socat -t 2 - TCP:127.0.0.1:11211"; }
get_memcached() { echo "printf 'get n\\r\\nquit\\r\\n' | socat -t 2 - TCP:127.0.0.1:11211 | sed -n 2p"; }

run_nginx() { echo 'mkdir -p /var/log/nginx /var/lib/nginx; sed -i "s/^user .*/user '"$(user www-data)"';/" /etc/nginx/nginx.conf
exec nginx -g "daemon off;"'; }
put_nginx() { echo "echo $1 >/var/www/html/n"; }
get_nginx() { echo 'curl -sf http://127.0.0.1/n'; }

run_haproxy() {
  cat <<'END'
mkdir -p /run/haproxy
cat >/tmp/haproxy.cfg <<CFG
global
  stats socket /run/haproxy/admin.sock mode 660 level admin
defaults
  mode http
  timeout connect 5s
  timeout client 5s
  timeout server 5s
frontend f
  bind 127.0.0.1:8080
  default_backend b
backend b
  server s 127.0.0.1:9 weight 1
CFG
exec haproxy -W -db -f /tmp/haproxy.cfg
END
}
put_haproxy() { echo "echo 'set weight b/s $1' | socat - /run/haproxy/admin.sock"; }
get_haproxy() { echo "echo 'get weight b/s' | socat - /run/haproxy/admin.sock | cut -d ' ' -f 1 | grep ."; }

run_node() {
  echo "exec node -e 'let n = 0; require(\"http\").createServer((q, a) => { if (q.url != \"/\") n = q.url.slice(1); a.end(n + \"\\n\") }).listen(8000, \"127.0.0.1\"); setInterval(() => new Array(1e5).fill(n), 50)'"
}
put_node() { echo "curl -sf http://127.0.0.1:8000/$1"; }
get_node() { echo 'curl -sf http://127.0.0.1:8000/'; }

run_java() {
  cat <<'END'
cat >/tmp/N.java <<J
import com.sun.net.httpserver.*; import java.net.*;
class N { static volatile String n = "0";
  public static void main(String[] a) throws Exception {
    HttpServer s = HttpServer.create(new InetSocketAddress("127.0.0.1", 8000), 0);
    s.createContext("/", x -> { String p = x.getRequestURI().getPath(); if (p.length() > 1) n = p.substring(1);
      byte[] b = (n + "\n").getBytes(); x.sendResponseHeaders(200, b.length); x.getResponseBody().write(b); x.close(); });
    s.start();
    for (;;) { byte[] garbage = new byte[1 << 20]; Thread.sleep(20); } } }
J
exec java -Xmx128m /tmp/N.java
END
}
put_java() { put_node "$1"; }
get_java() { get_node; }

run_python() {
  cat <<'END'
exec python3 -c '
import http.server, threading, time, numpy
numbers = numpy.zeros((1000, 1000), dtype=numpy.int64)
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path != "/": numbers[:] = int(self.path[1:])
        self.send_response(200); self.end_headers()
        self.wfile.write(b"%d\n" % (numbers.sum() // numbers.size))
    def log_message(self, *_): pass
def work():
    while True: numpy.linalg.svd(numpy.random.rand(80, 80)); time.sleep(0.01)
threading.Thread(target=work, daemon=True).start()
http.server.ThreadingHTTPServer(("127.0.0.1", 8000), Handler).serve_forever()'
END
}
put_python() { put_node "$1"; }
get_python() { get_node; }

run_postgres() {
  echo 'mkdir -p /run/postgresql; chown postgres: /run/postgresql
exec setpriv --reuid postgres --regid postgres --init-groups /usr/lib/postgresql/15/bin/postgres -D /var/lib/postgresql/15/main -c config_file=/etc/postgresql/15/main/postgresql.conf'
}
put_postgres() { echo "cd /; setpriv --reuid postgres --regid postgres --init-groups psql -qc 'create table if not exists t(n int)' -c 'delete from t' -c 'insert into t values ($1)'"; }
get_postgres() { echo "cd /; setpriv --reuid postgres --regid postgres --init-groups psql -Atqc 'select n from t'"; }

run_mariadb() { echo "mkdir -p /run/mysqld; chown $(user mysql): /run/mysqld; exec mariadbd --innodb-use-native-aio=0 --user=$(user mysql)"; }
put_mariadb() { echo "mariadb -e 'create database if not exists d; create table if not exists d.t (i int primary key, n int); replace into d.t values (1, $1)'"; }
get_mariadb() { echo "mariadb -Ne 'select n from d.t'"; }

# Where the runtime makes the network namespace, the connection to its name server cannot be kept.
declare -A OPTIONS=([rabbitmq]='--tcp close')
as_rabbitmq() { echo "export HOME=/var/lib/rabbitmq; cd; exec setpriv --reuid $(user rabbitmq) --regid $(user rabbitmq) --init-groups /usr/lib/rabbitmq/bin"; }
run_rabbitmq() { echo "mkdir -p /run/rabbitmq; chown rabbitmq: /run/rabbitmq; echo 127.0.0.1 localhost apps >/etc/hosts; $(as_rabbitmq)/rabbitmq-server"; }
put_rabbitmq() { echo "$(as_rabbitmq)/rabbitmqctl eval 'application:set_env(rabbit, n, $1).'"; }
get_rabbitmq() { echo "$(as_rabbitmq)/rabbitmqctl eval 'application:get_env(rabbit, n).'"; }
