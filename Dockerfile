# A release passes the digest of the day: docker build --build-arg PYTHON=python@sha256:...
ARG PYTHON=python:3.13-slim-trixie
FROM ${PYTHON} AS build
RUN pip install --no-cache-dir uv==0.13.9 && uv venv /opt/todo
ENV VIRTUAL_ENV=/opt/todo
WORKDIR /src
COPY requirements.lock .
RUN uv pip install --no-cache --require-hashes -r requirements.lock
COPY pyproject.toml README.md LICENSE ./
COPY todo todo
COPY migrations migrations
RUN uv pip install --no-cache --no-deps .

FROM ${PYTHON}
RUN useradd --system --no-create-home --uid 10001 todo && install -d -m 700 -o todo /backups
COPY --from=build /opt/todo /opt/todo
ENV PATH=/opt/todo/bin:$PATH TODO_ENV=production TODO_HOST=0.0.0.0 PYTHONUNBUFFERED=1
USER todo
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=3s CMD ["python", "-c", "import os, urllib.request as r; r.urlopen(f'http://127.0.0.1:{os.environ.get(\"TODO_PORT\") or os.environ.get(\"PORT\") or 8000}/health/live')"]
CMD ["todo", "server"]
