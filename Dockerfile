# The bot without the lab. Build: docker build -t k8snet .   Run: see deploy/compose.yaml
FROM python:3.12-slim AS build
# To compile the extra `kerberos`.
RUN apt-get update && apt-get install -y --no-install-recommends gcc libkrb5-dev && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY pyproject.toml README.md ./
COPY bot bot
COPY handlers handlers
COPY backends backends
RUN python -m venv /opt/k8snet && /opt/k8snet/bin/pip install --no-cache-dir '.[credssp,jea,kerberos]'

FROM python:3.12-slim
# The font is for pictures in Chinese.
RUN apt-get update && apt-get install -y --no-install-recommends libgssapi-krb5-2 fonts-wqy-microhei && rm -rf /var/lib/apt/lists/*
RUN useradd --system --uid 10001 --home-dir /var/lib/k8snet --create-home k8snet
COPY --from=build /opt/k8snet /opt/k8snet
ENV PATH=/opt/k8snet/bin:$PATH PYTHONUNBUFFERED=1
USER 10001
WORKDIR /etc/k8snet
VOLUME /var/lib/k8snet
ENTRYPOINT ["k8snet"]
CMD ["run", "--config", "/etc/k8snet/app.yaml"]
