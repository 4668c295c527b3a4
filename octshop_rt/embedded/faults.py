"""Why an embedded server did not start: one clear line each, with what to do about it."""

from __future__ import annotations

from octshop_rt.core.errors import DomainError


class NoMongod(DomainError):
    """No usable mongod on PATH, and the wheel does not fit this machine."""

    code = "embedded.no_mongod"
    status = 503
    zh = (
        "没有可用的 mongod({why})。请任选其一：安装 MongoDB 6 以上并放入 PATH;"
        "启动容器 docker run -p 27017:27017 mongo:8 --replSet rs0;"
        '或在配置中写 [mongo] uri = "mongodb://…" 后用 octshop-rt serve --config 启动'
    )
    en = (
        "No usable mongod ({why}). Do one of these: install MongoDB 6 or newer and put it on PATH; start a container, "
        'docker run -p 27017:27017 mongo:8 --replSet rs0; or set [mongo] uri = "mongodb://…" and start with '
        "octshop-rt serve --config"
    )


class NoRedis(DomainError):
    """No redis-server on PATH, and none from the wheel."""

    code = "embedded.no_redis"
    status = 503
    zh = "没有可用的 redis-server。请运行 apt-get install redis-server,或用 --redis redis://… 指定一个"
    en = "No usable redis-server. Run apt-get install redis-server, or name one with --redis redis://…"


class MissingLibrary(DomainError):
    """The wheel's mongod is there but the system lacks a library it is linked to."""

    code = "embedded.missing_library"
    status = 503
    zh = "mongod 缺少系统库 {library}，请运行:apt-get install {package}"
    en = "mongod needs the system library {library}; run: apt-get install {package}"


class DataInUse(DomainError):
    """A running process holds this data folder."""

    code = "embedded.data_in_use"
    status = 503
    zh = "数据目录 {path} 正被另一个进程使用(pid {pid})。请先停止它，或用 --data 指定另一个目录"
    en = "The data folder {path} is in use by another process (pid {pid}). Stop it first, or choose another with --data"


class DataReadOnly(DomainError):
    """The data folder cannot be written by this user."""

    code = "embedded.data_read_only"
    status = 503
    zh = "无法写入数据目录 {path}({why})。请修改其权限，或用 --data 指定另一个目录"
    en = "Cannot write the data folder {path} ({why}). Change its permissions, or choose another with --data"


class DiskFull(DomainError):
    """Less free space than a database needs to start safely."""

    code = "embedded.disk_full"
    status = 503
    zh = "{path} 所在磁盘空间不足：剩余 {free_mb} MB,至少需要 {need_mb} MB"
    en = "The disk of {path} is nearly full: {free_mb} MB free, at least {need_mb} MB needed"


class ServerFailed(DomainError):
    """The server ended during its start for a reason we do not know."""

    code = "embedded.server_failed"
    status = 503
    zh = "{program} 启动失败(退出码 {exit_code}):{last_line}。完整日志：{log}"
    en = "{program} failed to start (exit code {exit_code}): {last_line}. Full log: {log}"


class ServerSlow(DomainError):
    """The server runs but did not answer in time."""

    code = "embedded.server_slow"
    status = 503
    zh = "{program} 在 {seconds} 秒内没有就绪。完整日志：{log}"
    en = "{program} was not ready within {seconds} s. Full log: {log}"
