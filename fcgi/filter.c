#include "filter.h"

#include <string.h>

static void
add(struct bh_filter *f, const char *property)
{
    f->properties[f->n++] = (struct bh_str){property, strlen(property)};
}

bool
bh_filter_make(struct bh_filter *f, const struct bh_request *rq,
               const struct bh_claims *claims)
{
    bool asked = rq->given & BH_PROPERTY;

    f->n = 0;
    f->all = !asked && claims->all_properties;
    if (asked) {
        if (!bh_claims_permit(claims, rq->property)) return false;
        add(f, rq->property);
    } else if (!f->all)
        for (size_t i = 0; i < claims->n_properties; i++)
            add(f, claims->properties[i]);
    return true;
}
