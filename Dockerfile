# The page of historynet-web in a container: docs/web.md says how it is started.
ARG BASE=python:3.13-slim

FROM ${BASE} AS build
# What computes, an extra of pyproject.toml: jax, or tensorflow.
ARG ENGINE=jax
COPY pyproject.toml README.md LICENSE /src/
COPY SOURCE_HistoryNet /src/SOURCE_HistoryNet
COPY historynet /src/historynet
RUN python3 -m venv /opt/historynet \
 && /opt/historynet/bin/pip install --no-cache-dir "/src[web,${ENGINE}]" \
 && /opt/historynet/bin/pip uninstall --yes pip

FROM ${BASE}
# No root, no home: uploads and results are in /tmp, which may be all that can be written.
RUN useradd --uid 10001 --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin historynet
COPY --from=build /opt/historynet /opt/historynet
ENV PATH=/opt/historynet/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 HOME=/tmp MPLCONFIGDIR=/tmp
# Models of one's own: -v FOLDER:/srv/MODEL:ro.
WORKDIR /srv
USER historynet
EXPOSE 7860
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s \
  CMD ["python3", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:7860/api/health', timeout=4)"]
ENTRYPOINT ["historynet-web", "--host", "0.0.0.0"]
