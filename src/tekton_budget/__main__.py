"""`python -m tekton_budget`: the command line; bare, the service, as Tekton starts a component."""

from tekton_budget.frontends.cli.app import component

if __name__ == "__main__":
    component()
